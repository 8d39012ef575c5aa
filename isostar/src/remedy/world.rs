//! Remedies for processes that train together.

use isostar_train::world::{LaunchError, WorldError};

use super::{Remedy, UNKNOWN};

impl Remedy for LaunchError {
    fn remedy(&self) -> String {
        match self {
            Self::NoMpi(_) => {
                "build with --features mpi to train one model in all of them; for one training per process, use `isostar sweep`, or start one process"
                    .into()
            }
            Self::Unconnected(launched) if launched.by == "srun" => {
                "add --mpi=pmix to srun (`srun --mpi=list` lists what there is), or start the processes with mpirun".into()
            }
            Self::Unconnected(_) => {
                "start the processes with the mpirun of the MPI library that isostar was built with; `isostar devices` names it".into()
            }
            _ => UNKNOWN.into(),
        }
    }
}

impl Remedy for WorldError {
    fn remedy(&self) -> String {
        let again =
            "then give the same command with --resume --out DIR to go on from the last snapshot";
        match self {
            Self::Failed { rank, .. } => {
                format!("mend what rank {rank} says, {again}")
            }
            Self::OutOfStep { .. } => {
                format!("start all processes with the same command, program and files, {again}")
            }
            _ => format!("look for the message of the process that has ended, {again}"),
        }
    }
}
