//! A world of the processes of an MPI job.

use std::sync::{Mutex, PoisonError};

use mpi::Threading;
use mpi::datatype::PartitionMut;
use mpi::environment::{Universe, initialize_with_threading, library_version};
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};

use super::{LaunchError, Launched, Link, World};

/// Bytes that all processes together pass in one call of MPI, whose counts have 31 bits.
const AT_ONCE: usize = 1 << 28;

/// The communicator of all processes. Errors of MPI end the job: that is MPI's default.
struct Job {
    rank: usize,
    size: usize,
    /// Held during a call: MPI is initialized for one thread at a time.
    calls: Mutex<()>,
}

/// MPI, until it is dropped; the processes then wait for each other.
pub(super) struct Initialized(Universe);

impl Drop for Initialized {
    /// Finalizing MPI does not wait: a launcher would end the others as soon as one has ended.
    fn drop(&mut self) {
        self.0.world().barrier();
    }
}

/// Initializes MPI.
///
/// # Errors
/// If MPI does not know the processes that were launched, or does not allow several threads.
pub(super) fn join(launched: Launched) -> Result<(World, Initialized), LaunchError> {
    let (universe, threading) =
        initialize_with_threading(Threading::Serialized).ok_or(LaunchError::Twice)?;
    if threading < Threading::Serialized {
        return Err(LaunchError::Threads);
    }
    let all = universe.world();
    let [rank, size] = [all.rank(), all.size()].map(|number| number as usize);
    if size == 1 {
        return Err(LaunchError::Unconnected(launched));
    }
    let calls = Mutex::default();
    let world = World::new(Job { rank, size, calls });
    Ok((world, Initialized(universe)))
}

/// Name and version of the MPI library, without its build.
pub(super) fn version() -> String {
    let version = library_version().unwrap_or_default();
    let end = version.find([',', '\n', '\0']).unwrap_or(version.len());
    version[..end].trim().to_string()
}

impl Link for Job {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, own: &[u8]) -> Option<Vec<Vec<u8>>> {
        let _one = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let all = SimpleCommunicator::world();
        let mut lengths = vec![0_u64; self.size];
        all.all_gather_into(&(own.len() as u64), &mut lengths[..]);
        let lengths = lengths.into_iter().map(|length| length as usize);
        let lengths: Vec<usize> = lengths.collect();
        let at_once = AT_ONCE / self.size;
        let mut found: Vec<Vec<u8>> = lengths.iter().map(|len| Vec::with_capacity(*len)).collect();
        let longest = lengths.iter().copied().max().unwrap_or(0);
        for start in (0..longest).step_by(at_once) {
            let part = |length: usize| start.min(length)..(start + at_once).min(length);
            let counts: Vec<i32> = lengths.iter().map(|len| part(*len).len() as i32).collect();
            let places = counts.iter().scan(0, |next, count| {
                let place = *next;
                *next += count;
                Some(place)
            });
            let places: Vec<i32> = places.collect();
            let mut passed = vec![0_u8; counts.iter().sum::<i32>() as usize];
            let mut parts = PartitionMut::new(&mut passed[..], &counts[..], &places[..]);
            all.all_gather_varcount_into(&own[part(own.len())], &mut parts);
            let mut rest = &passed[..];
            for (found, count) in found.iter_mut().zip(counts) {
                let (own, others) = rest.split_at(count as usize);
                found.extend(own);
                rest = others;
            }
        }
        Some(found)
    }

    /// Every process adds up one share of the values, and all gather the sums: each number is sent
    /// and received twice, whatever the number of processes.
    fn sum(&self, values: &mut [f32]) -> Option<()> {
        let _one = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let all = SimpleCommunicator::world();
        for values in values.chunks_mut(AT_ONCE / size_of::<f32>() / 16) {
            let share = values.len().div_ceil(self.size);
            let mut sent = values.to_vec();
            sent.resize(share * self.size, 0.0);
            let mut received = vec![0.0_f32; share * self.size];
            all.all_to_all_into(&sent[..], &mut received[..]);
            let (sums, others) = received.split_at_mut(share);
            for other in others.chunks(share) {
                for (sum, value) in sums.iter_mut().zip(other) {
                    *sum += value;
                }
            }
            all.all_gather_into(&sums[..], &mut sent[..]);
            values.copy_from_slice(&sent[..values.len()]);
        }
        Some(())
    }
}
