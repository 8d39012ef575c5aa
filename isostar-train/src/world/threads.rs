//! A world of threads of one process, for tests and for programs of your own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Link, World};

/// Where the threads of a world meet.
struct Meeting {
    round: Mutex<Round>,
    changed: Condvar,
}

#[derive(Default)]
struct Round {
    /// What each rank has passed in this round.
    passed: Vec<Option<Vec<u8>>>,
    /// Ranks that have ended.
    gone: Vec<bool>,
    number: u64,
    /// What all of them passed in the last round.
    found: Arc<Vec<Vec<u8>>>,
}

struct Thread {
    rank: usize,
    size: usize,
    meeting: Arc<Meeting>,
}

impl World {
    /// A world of `size` threads: one value per thread, in the order of ranks. A thread that ends
    /// drops its value, and the others no longer wait for it.
    ///
    /// # Panics
    /// If `size` is 0.
    pub fn threads(size: usize) -> Vec<Self> {
        assert!(size > 0, "a world has at least one member");
        let meeting = Arc::new(Meeting {
            round: Mutex::new(Round {
                passed: vec![None; size],
                gone: vec![false; size],
                ..Round::default()
            }),
            changed: Condvar::new(),
        });
        let thread = |rank| Thread {
            rank,
            size,
            meeting: meeting.clone(),
        };
        (0..size).map(|rank| Self::new(thread(rank))).collect()
    }
}

impl Meeting {
    fn round(&self) -> MutexGuard<'_, Round> {
        self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn gather(&self, own: &[u8]) -> Option<Vec<Vec<u8>>> {
        let mut round = self.meeting.round();
        round.passed[self.rank] = Some(own.to_vec());
        if round.passed.iter().all(Option::is_some) {
            let passed = round.passed.iter_mut().filter_map(Option::take).collect();
            round.found = Arc::new(passed);
            round.number += 1;
            self.meeting.changed.notify_all();
            return Some(round.found.to_vec());
        }
        let number = round.number;
        while round.number == number {
            let is_missed = |(passed, gone): (&Option<_>, &bool)| passed.is_none() && *gone;
            if round.passed.iter().zip(&round.gone).any(is_missed) {
                return None;
            }
            let waited = self.meeting.changed.wait(round);
            round = waited.unwrap_or_else(PoisonError::into_inner);
        }
        Some(round.found.to_vec())
    }

    fn sum(&self, values: &mut [f32]) -> Option<()> {
        let own: Vec<u8> = values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let found = self.gather(&own)?;
        for (rank, of_rank) in found.iter().enumerate() {
            let (numbers, _) = of_rank.as_chunks::<4>();
            for (value, number) in values.iter_mut().zip(numbers) {
                let number = f32::from_le_bytes(*number);
                *value = if rank == 0 { number } else { *value + number };
            }
        }
        Some(())
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.meeting.round().gone[self.rank] = true;
        self.meeting.changed.notify_all();
    }
}
