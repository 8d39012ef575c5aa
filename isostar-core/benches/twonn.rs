//! The intrinsic dimension of points in a file: seconds, and what it was.
//!
//! ```text
//! cargo bench -p isostar-core --profile dev --bench twonn -- POINTS.bin N D [ROUNDS]
//! ```
//!
//! `scripts/twonn_speed.py` writes the file, N·D little-endian f32 row by row, and compares with scikit-dimension and with a chunked search
//! in torch. Without arguments, as under `cargo bench` alone, points of a 10-dimensional Gaussian under a random tanh layer are made here.

use std::io::Read;
use std::time::Instant;

use burn::prelude::*;
use burn::tensor::Distribution;
use isostar_core::measure::twonn;
use isostar_core::nearest_neighbours;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

fn main() {
    // SAFETY: the option exists, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    match arguments.as_slice() {
        [] => time(made(10_000, 768), 1),
        [file, n, d, rest @ ..] => {
            let number = |text: &String| {
                text.parse::<usize>()
                    .unwrap_or_else(|error| panic!("{text}: {error}"))
            };
            time(
                read(file, number(n), number(d)),
                rest.first().map_or(1, number),
            );
        }
        _ => panic!("the file, its number of points and their width, please"),
    }
}

/// One line of JSON a round, as the Python side prints it.
fn time(points: Tensor<2>, rounds: usize) {
    let [n, d] = points.dims();
    let few = points.clone().narrow(0, 0, n.min(400));
    twonn(&nearest_neighbours(few, 2, &|_| ()));
    for _ in 0..rounds {
        let before = peak();
        let start = Instant::now();
        let neighbours = nearest_neighbours(points.clone(), 2, &|_| ());
        let estimate = twonn(&neighbours).expect("points that differ");
        let seconds = start.elapsed().as_secs_f64();
        println!(
            "{}",
            serde_json::json!({
                "bench": "twonn", "n": n, "d": d, "variant": "isostar", "seconds": seconds, "dimension": estimate.linear,
                "maximum_likelihood": estimate.maximum_likelihood, "recomputed": neighbours.recomputed,
                "peak_mib": peak(), "delta_mib": peak() - before,
            })
        );
    }
}

/// Reads piece by piece, so that the process never held more than the points.
fn read(file: &str, n: usize, d: usize) -> Tensor<2> {
    let mut reader = std::fs::File::open(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut values = Vec::with_capacity(n * d);
    let mut row = vec![0u8; 4 * d];
    for _ in 0..n {
        reader
            .read_exact(&mut row)
            .unwrap_or_else(|error| panic!("{file} doesn't hold {n}×{d} numbers: {error}"));
        values.extend(
            row.as_chunks::<4>()
                .0
                .iter()
                .map(|bytes| f32::from_le_bytes(*bytes)),
        );
    }
    Tensor::from_data(TensorData::new(values, [n, d]), &Device::flex())
}

fn made(n: usize, d: usize) -> Tensor<2> {
    const LATENT: usize = 10;
    let device = Device::flex();
    device.seed(7);
    let normal = |rows, columns| {
        Tensor::<2>::random([rows, columns], Distribution::Normal(0.0, 1.0), &device)
    };
    (normal(n, LATENT).matmul(normal(LATENT, d)) / (LATENT as f64).sqrt()).tanh()
}

/// The largest resident memory of this process so far, in MiB; 0 where the system doesn't say.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line
        .and_then(|line| line.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<f64>().ok());
    kilobytes.map_or(0.0, |kilobytes| kilobytes / 1024.0)
}
