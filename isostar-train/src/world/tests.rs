use std::time::Duration;

use super::*;

/// Runs `work` on each thread of a world; the threads are named `rank 0`, `rank 1`, …
///
/// # Panics
/// If they do not end within 30 seconds.
pub(crate) fn together<T: Send + 'static>(
    size: usize,
    work: impl Fn(World) -> T + Send + Sync + Clone + 'static,
) -> Vec<std::thread::Result<T>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let threads = World::threads(size).into_iter().map(|world| {
            let work = work.clone();
            let thread = std::thread::Builder::new().name(format!("rank {}", world.rank()));
            thread.spawn(move || work(world)).unwrap()
        });
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(|thread| thread.join());
        sender.send(ended.collect::<Vec<_>>())
    });
    let ended = receiver.recv_timeout(Duration::from_secs(30));
    ended.expect("a process waits for another")
}

#[test]
fn every_process_gets_what_all_pass_in_the_order_of_ranks() {
    let found = together(3, |world| {
        let own = |round: u8| vec![world.rank() as u8; usize::from(round) % 3];
        (0..20)
            .map(|round| world.gather(Call::Stop, own(round)).unwrap())
            .collect::<Vec<_>>()
    });
    let expected = (0..20).map(|round| {
        let passed = (0..3_u8).map(|rank| vec![rank; round % 3]);
        passed.collect::<Vec<_>>()
    });
    let expected: Vec<_> = expected.collect();
    for found in found {
        assert_eq!(found.unwrap(), expected);
    }
}

#[test]
fn sums_are_taken_in_the_order_of_ranks() {
    let own = [1e8_f32, 1.0, -1e8];
    let expected = (own[0] + own[1]) + own[2];
    assert_ne!(expected, own[0] + own[2] + own[1], "the order matters");
    let found = together(3, move |world| {
        let mut values = [own[world.rank()], world.rank() as f32];
        world.sum(&mut values).unwrap();
        values
    });
    for found in found {
        assert_eq!(found.unwrap(), [expected, 3.0]);
    }
}

#[test]
fn a_process_that_fails_ends_the_others_in_their_next_call() {
    let failed = |message: &str| WorldError::Failed {
        rank: 1,
        size: 3,
        message: message.into(),
    };
    let found = together(3, |world| {
        world.gather(Call::Stop, Vec::new()).unwrap();
        if world.rank() == 1 {
            return (world.end(Some("the disk is full")), world.failure());
        }
        let statistics = world.gather(Call::Statistics, vec![1]);
        let again = world.gather(Call::Stop, Vec::new());
        assert_eq!(statistics, again);
        assert_eq!(world.end(None), Ok(()), "all know of the failure");
        (statistics.map(|_| ()), world.failure())
    });
    for (rank, found) in found.into_iter().enumerate() {
        let (result, failure) = found.unwrap();
        let expected = failed("the disk is full");
        assert_eq!(failure.as_ref(), Some(&expected));
        let own = rank == 1;
        assert_eq!(result, if own { Ok(()) } else { Err(expected) });
    }
}

#[test]
fn a_process_that_panics_leaves_nobody_waiting() {
    let found = together(3, |world| {
        world.gather(Call::Stop, Vec::new()).unwrap();
        assert_ne!(world.rank(), 2, "as intended");
        world.gather(Call::Stop, Vec::new())
    });
    let gone = Err(WorldError::Gone { size: 3 });
    let [first, second, third] = &found[..] else {
        panic!("three processes")
    };
    assert_eq!(first.as_ref().unwrap(), &gone);
    assert_eq!(second.as_ref().unwrap(), &gone);
    assert!(third.is_err());
}

#[test]
fn processes_out_of_step_are_found() {
    let found = together(2, |world| {
        let call = [Call::Stop, Call::Outputs][world.rank()];
        world.gather(call, Vec::new())
    });
    for found in found {
        let error = found.unwrap().unwrap_err();
        assert!(matches!(error, WorldError::OutOfStep { .. }), "{error}");
    }
}

#[test]
fn every_process_gets_what_the_first_passes_and_differences_are_found() {
    let found = together(3, |world| {
        let own = vec![world.rank() as u8];
        let first = world.from_first(own.clone()).unwrap();
        world.check_same("first", &first).unwrap();
        (first, world.check_same("ranks", &own))
    });
    for found in found {
        let (first, differ) = found.unwrap();
        assert_eq!(first, [0]);
        let message = differ.unwrap_err().to_string();
        assert!(message.contains("their ranks differ: rank 1"), "{message}");
    }
}

#[test]
fn a_result_is_waited_for_and_ends_the_world() {
    let found = together(2, |world| {
        let ended = world.end(None);
        assert_eq!(world.failure(), None);
        (ended, world.gather(Call::Stop, Vec::new()).is_err())
    });
    for found in found {
        assert_eq!(found.unwrap(), (Ok(()), true));
    }
}

#[test]
fn a_process_alone_gets_what_it_passes() {
    let world = World::threads(1).remove(0);
    assert_eq!((world.rank(), world.size(), world.is_first()), (0, 1, true));
    assert_eq!(world.gather(Call::Stop, vec![7]), Ok(vec![vec![7]]));
    assert_eq!(world.from_first(vec![8]), Ok(vec![8]));
    assert_eq!(world.check_same("rows", &[1]), Ok(()));
    let mut values = [2.0];
    assert_eq!(world.sum(&mut values), Ok(()));
    assert_eq!(values, [2.0]);
    assert_eq!(world.end(Some("nobody hears")), Ok(()));
}
