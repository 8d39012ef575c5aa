//! Where a training begins: at its first step, or with the state of a snapshot.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;

use super::display::Display;
use super::meter::TrainingMeter;
use super::saving::hook_state;
use super::step::{Crew, Division};
use super::{Recorder, Stopwatch, Training};
use crate::data::BatchLoader;
use crate::device::parse_devices;
use crate::experiment::ExperimentError;
use crate::experiment::optimizer::{WarmupLinear, adamw};
use crate::experiment::prepare::Prepared;
use crate::experiment::run::Run;
use crate::experiment::snapshot::{Before, Parts, Place, number_parameters};
use crate::hook::Hook;
use crate::task::{Evaluator, TaskModel};

/// Where a training begins.
pub(in crate::experiment) struct Beginning {
    /// The evaluation before training.
    pub before: Before,
    /// Fingerprint of the tokenized rows.
    pub rows: String,
    /// The state to go on from.
    pub parts: Option<Parts>,
}

impl<'a, M: TaskModel> Training<'a, M> {
    /// Sets a training up, without taking a step.
    ///
    /// # Errors
    /// If the state belongs to another model.
    pub fn new(
        run: &'a Run,
        prepared: &'a Prepared<M>,
        hook: Hook<M::Batch>,
        stopwatch: Arc<Stopwatch>,
        recorder: Option<Recorder>,
        beginning: Beginning,
    ) -> Result<Self, ExperimentError> {
        let Beginning {
            before,
            rows,
            parts,
        } = beginning;
        let settings = &run.settings;
        let device = run.device.clone().autodiff();
        let mut model = number_parameters(prepared.model.model.clone());
        let mut optimizer = adamw(settings.weight_decay, settings.adam_epsilon);
        let mut meter =
            TrainingMeter::<M>::new(&run.metrics, prepared.train.evaluator.clone(), &hook);
        let mut state = None;
        if let Some(parts) = parts {
            let unfit = |message: String| ExperimentError::Snapshot {
                path: run.folder.path().into(),
                message,
            };
            model = model
                .try_load_record(parts.model)
                .map_err(|error| unfit(error.to_string()))?;
            optimizer = optimizer.load_record(parts.optimizer);
            if let (Some(answers), Some(bytes)) = (&mut meter.answers, &parts.answers) {
                answers
                    .restore(bytes)
                    .ok_or_else(|| unfit("the predictions of the epoch are malformed".into()))?;
            }
            let of_hook = hook_state(&parts.state, parts.reference, parts.regularizer)
                .ok_or_else(|| unfit("the tensors of the regularizer are malformed".into()))?;
            hook.restore(of_hook, &device);
            stopwatch.restore(parts.state.seconds);
            state = Some(parts.state);
        }
        let crew = crew(run, &hook)?;
        let place = state.as_ref().map_or(Place::default(), |state| state.place);
        let train = BatchLoader::training(
            prepared.train.source.clone(),
            run.order(place.epochs),
            &device,
        )
        .skipping(place.batch);
        let batches = train.batches();
        let steps = batches * settings.epochs;
        let warmup = (settings.warmup * steps as f64).round() as usize;
        let (sums, split_seconds, losses, lines) = state.map_or_else(Default::default, |state| {
            (state.sums, state.split_seconds, state.losses, state.lines)
        });
        meter.sums = sums;
        Ok(Self {
            run,
            prepared,
            stopwatch,
            model: Some(hook.wrap(model.fork(&device).train())),
            optimizer,
            schedule: WarmupLinear::new(settings.learning_rate, warmup, steps, settings.schedule),
            crew,
            train: hook.tap(Arc::new(train)),
            batches,
            place,
            meter,
            unsettled: None,
            split_seconds,
            losses,
            lines,
            before,
            rows,
            recorder,
            display: Display::new(
                run.observer.clone(),
                run.limits.clone(),
                &hook.interrupter(),
            ),
            hook,
            began: Instant::now(),
            epochs_since: 0,
        })
    }
}

/// The devices of steps in parts; `None` if one device of one process takes each batch as a whole.
fn crew<M: TaskModel>(
    run: &Run,
    hook: &Hook<M::Batch>,
) -> Result<Option<Crew<M>>, ExperimentError> {
    let settings = &run.settings;
    let devices = parse_devices(&settings.device)?.into_iter();
    let devices: Vec<Device> = devices.map(Device::autodiff).collect();
    let division = Division {
        rows: settings.batch_size,
        score: settings.accumulate_score,
        precision: settings.precision.into(),
    };
    let is_cut = run.world.size() * devices.len() * settings.accumulate > 1;
    let crew = || Crew::new(run.world.clone(), &devices, hook.regularizer(), division);
    Ok(is_cut.then(crew))
}
