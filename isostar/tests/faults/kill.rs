//! SIGKILL at random instants.

use std::thread::sleep;
use std::time::Duration;

use crate::run::{
    Random, assert_undisturbed, end, faults, line, prepared, shim, survived, undisturbed,
};

#[test]
fn a_run_killed_at_any_instant_ends_with_the_same_bits() {
    let whole = undisturbed();
    let count = faults(6, 100);
    let (mut unfinished, mut while_writing) = (0, 0);
    for number in 0..count {
        let mut random = Random::new(number as u64);
        let folder = prepared();
        let at = folder.path();
        let mut command = line(at, "run");
        // A third of the runs are killed while they write a snapshot, which is slowed down.
        let slow = shim().filter(|_| number % 3 == 0);
        let mut longest = whole.duration.mul_f64(1.1);
        if let Some(shim) = slow {
            command
                .env("LD_PRELOAD", shim)
                .env("FAULT_PATH", "/.writing-")
                .env("FAULT_SLOW", "10");
            longest *= 3;
        }
        let mut child = command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        if slow.is_some() {
            // Wait for a snapshot to be begun, and for a part of it.
            let checkpoint = at.join("run/checkpoint");
            let begun = || {
                std::fs::read_dir(&checkpoint).is_ok_and(|mut entries| {
                    entries.any(|entry| {
                        entry
                            .unwrap()
                            .file_name()
                            .to_string_lossy()
                            .starts_with(".writing-")
                    })
                })
            };
            for _ in 0..random.below(4) + 1 {
                for _ in 0..20_000 {
                    if begun() || child.try_wait().unwrap().is_some() {
                        break;
                    }
                    sleep(Duration::from_millis(1));
                }
                sleep(random.part_of(Duration::from_millis(600)));
            }
            while_writing += usize::from(begun());
        } else {
            sleep(random.part_of(longest));
        }
        unfinished += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
        end(at, "run", 1);
        assert_undisturbed(at, "run", &format!("kill {number}"));
        survived("killed", number, count);
    }
    println!(
        "{count} of {count} killed runs end with the same bits; {unfinished} were killed before their end, {while_writing} while writing a snapshot"
    );
    assert!(
        unfinished * 2 > count,
        "{unfinished} of {count} runs were killed before their end"
    );
}
