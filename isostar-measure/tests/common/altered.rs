//! Files that went wrong somewhere.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// The content of a file with one to three bytes, drawn at random, replaced by others.
pub fn altered(content: &[u8], random: &mut ChaCha8Rng) -> Vec<u8> {
    let mut altered = content.to_vec();
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..altered.len());
        altered[at] = random.random();
    }
    altered
}
