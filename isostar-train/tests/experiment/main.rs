//! The tests of data and scores in one program. The test `memory` is a program of its own: it counts
//! what it allocates. So is `hook`, whose dropout draws from the generator that the tests of data
//! watch.

mod data;
mod scores;
