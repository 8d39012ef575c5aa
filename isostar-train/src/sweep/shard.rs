use std::str::FromStr;

use super::SweepError;
use super::cluster::place;

/// One of N shards of a sweep, for one of N machines: every N-th run, starting with the I-th.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The index of the shard, from 0.
    index: usize,
    count: usize,
}

impl Shard {
    /// The only shard, which has all runs.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The shard of this process, from the environment of a SLURM array, `srun`, Open MPI's `mpirun` or
    /// MPICH's `mpiexec`.
    ///
    /// # Errors
    /// If none of them has started this process, or their variables contradict each other.
    pub fn from_environment() -> Result<Self, SweepError> {
        let (index, count) = place(|name| std::env::var(name).ok())?;
        Ok(Self { index, count })
    }

    /// Whether the shard contains the run at this position in the plan, counted from 0.
    pub fn holds(self, place: usize) -> bool {
        place % self.count == self.index
    }
}

/// `I/N`, from `1/N` to `N/N`, or `auto` for the shard of this process.
impl FromStr for Shard {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        if text.trim() == "auto" {
            return Self::from_environment();
        }
        let parse = || -> Option<Self> {
            let (number, count) = text.split_once('/')?;
            let (number, count): (usize, usize) =
                (number.trim().parse().ok()?, count.trim().parse().ok()?);
            (1..=count).contains(&number).then(|| Self {
                index: number - 1,
                count,
            })
        };
        parse().ok_or_else(|| SweepError::NoSuchShard { text: text.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_run_is_in_exactly_one_shard() {
        for count in 1..5 {
            let shards: Vec<Shard> = (1..=count)
                .map(|number| format!("{number}/{count}").parse().unwrap())
                .collect();
            for place in 0..11 {
                assert_eq!(
                    shards.iter().filter(|shard| shard.holds(place)).count(),
                    1,
                    "{place} of {count}"
                );
            }
        }
        assert_eq!("1/1".parse::<Shard>().unwrap(), Shard::WHOLE);
    }

    #[test]
    fn invalid_shards_are_refused() {
        for text in ["", "0/2", "3/2", "1", "1/0", "-1/2", "1/2/3", "a/b"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert_eq!(error.to_string(), format!("invalid shard {text:?}"));
        }
    }
}
