//! Memory use of the measures, counted at the allocator.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::prelude::*;
use common::{Normal, scalar};
use isostar_core::{
    HiddenStates, IStar, Moments, Regularizer, RunningMoments, Shrinkage, ShrinkageTarget,
    StateSelection, StepContext, nearest_neighbours,
};

/// The system allocator, counting the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as promised to this function.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as promised to this function.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn grow(bytes: usize) {
    let now = IN_USE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(now, Ordering::Relaxed);
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The count is per process, so tests run one at a time.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: f64 = (1 << 20) as f64;

/// Returns the result of `work`, the MiB that it leaves in use, and its peak, both relative to the
/// use before.
fn measure<R>(work: impl FnOnce() -> R) -> (R, f64, f64) {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let result = work();
    let over = |bytes: usize| (bytes as f64 - before as f64) / MIB;
    (
        result,
        over(IN_USE.load(Ordering::Relaxed)),
        over(PEAK.load(Ordering::Relaxed)),
    )
}

const DEPTH: usize = 12;
const SEQUENCES: usize = 32;
const TOKENS: usize = 128;
const WIDTH: usize = 64;
/// Size of one layer's states in MiB: 1.
const LAYER: f64 = (SEQUENCES * TOKENS * WIDTH * 4) as f64 / MIB;

fn layers(device: &Device) -> Vec<Tensor<3>> {
    let mut normal = Normal::new(1);
    (0..DEPTH)
        .map(|_| {
            let values: Vec<f32> = (0..SEQUENCES * TOKENS * WIDTH)
                .map(|_| normal.draw() as f32)
                .collect();
            Tensor::from_data(TensorData::new(values, [SEQUENCES, TOKENS, WIDTH]), device)
                .require_grad()
        })
        .collect()
}

#[test]
fn a_penalty_keeps_no_copy_of_any_layer() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let device = Device::flex().autodiff();
    let shrinkage = Shrinkage::new(0.2, ShrinkageTarget::Identity).expect("a weight in [0, 1]");
    let istar = IStar::new(-1.0, shrinkage, StateSelection::default()).expect("valid settings");
    let mask: Tensor<2, Bool> = Tensor::<1, Int>::arange(0..TOKENS as i64, &device)
        .lower_elem(TOKENS as i64 - 9)
        .unsqueeze()
        .repeat_dim(0, SEQUENCES);
    for masked in [false, true] {
        let (layers, held, _) = measure(|| layers(&device));
        assert!(
            held >= DEPTH as f64 * LAYER,
            "the count misses the layers: {held:.2} MiB"
        );
        let states = HiddenStates::from_layers(layers.clone());
        let states = if masked {
            states.with_mask(mask.clone())
        } else {
            states
        };
        // A first run allocates what persists: thread pools and their buffers.
        drop(
            istar
                .penalty(&states, &StepContext::default())
                .value
                .backward(),
        );

        let run = || {
            let (penalty, tape, forward) =
                measure(|| istar.penalty(&states, &StepContext::default()).value);
            let (gradients, kept, backward) = measure(|| penalty.backward());
            assert!(layers.iter().all(|layer| layer.grad(&gradients).is_some()));
            assert!(scalar(penalty).is_finite());
            [tape, forward, kept, backward]
        };
        // A thread that was idle at first allocates its buffers, 1 MiB, in a later run, so the
        // smallest of five runs counts; a copy on the tape would be there in every run.
        let runs = (0..5).map(|_| run());
        let [tape, forward, kept, backward] = runs
            .min_by(|one, other| one[0].total_cmp(&other[0]))
            .expect("five runs");
        println!("masked {masked}: forward leaves {tape:.2} MiB and peaks at {forward:.2}");
        assert!(
            tape < LAYER,
            "12 layers of {LAYER} MiB left {tape:.2} MiB on the tape"
        );
        assert!(
            forward < 3.0 * LAYER,
            "12 layers of {LAYER} MiB added {forward:.2} MiB at the peak of the forward pass"
        );

        println!("masked {masked}: backward leaves {kept:.2} MiB and peaks at {backward:.2}");
        let own = DEPTH as f64 * LAYER;
        assert!(
            kept > 0.9 * own - tape,
            "the count misses the gradients: {kept:.2} MiB"
        );
        assert!(
            backward < own + 4.0 * LAYER,
            "12 gradients of {LAYER} MiB took {backward:.2} MiB at the peak of the backward pass"
        );
    }
}

#[test]
fn a_stream_of_250_000_states_needs_less_than_100_mb() {
    const ROWS: usize = 4096;
    const STREAM: usize = 250_000;
    const D: usize = 768;
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let device = Device::flex();
    let mut normal = Normal::new(2);
    let base: Vec<f32> = (0..ROWS * D).map(|_| normal.draw() as f32).collect();
    let base = Tensor::<2>::from_data(TensorData::new(base, [ROWS, D]), &device);
    let (running, _, peak) = measure(|| {
        let mut running = RunningMoments::new(D);
        let mut left = STREAM;
        while left > 0 {
            let rows = left.min(ROWS);
            // Each batch arrives as a separate tensor.
            let batch = base.clone().narrow(0, 0, rows) + (left % 7) as f64;
            running
                .update(&Moments::from_points(batch))
                .expect("the device can be read");
            left -= rows;
        }
        running
    });
    println!("peak {peak:.1} MiB for {STREAM} states of width {D}");
    assert_eq!(running.count(), STREAM as u64);
    assert!(running.isoscore().is_some_and(|score| score > 0.0));
    let all = (STREAM * D * 4) as f64 / MIB;
    assert!(
        peak > (ROWS * D * 4) as f64 / MIB,
        "the count misses the batches: {peak:.1} MiB"
    );
    assert!(
        peak * MIB < 100e6,
        "{peak:.1} MiB at the peak, where all states are {all:.0} MiB"
    );
}

/// Limit in MiB of a search beyond the points: a tile (4), two blocks of points (2.5), the buffers
/// of the product, and candidates (4); 10.8 and 11.8 were measured.
const SEARCH: f64 = 16.0;
/// Bytes per point: eight candidates (64), two distances (16) and norms (16), doubled as lists
/// grow; 85 were measured.
const PER_POINT: f64 = 256.0;

#[test]
fn neighbours_are_found_without_the_matrix_of_distances() {
    let _alone = ALONE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let [few, many] = [4096, 16384].map(|n| {
        let mut normal = Normal::new(3);
        let values: Vec<f32> = (0..n * 256).map(|_| normal.draw() as f32).collect();
        let points = Tensor::<2>::from_data(TensorData::new(values, [n, 256]), &Device::flex());
        // A first run allocates what persists: thread pools and their buffers.
        nearest_neighbours(points.clone(), 2, &|_| ());
        let (found, _, peak) = measure(|| nearest_neighbours(points.clone(), 2, &|_| ()));
        assert_eq!(found.recomputed, 0);
        println!("{n} points of {} MiB: {peak:.1} MiB at the peak", n / 1024);
        peak
    });
    assert!(
        many < SEARCH,
        "{many} MiB; the points take 16, their distances 1024"
    );
    assert!(
        many - few < 12288.0 * PER_POINT / MIB,
        "{few} and {many} MiB"
    );
}
