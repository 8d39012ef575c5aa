//! Batches of an evaluation that the processes of a world compute in turns.

use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};
use isostar_core::{Moments, Statistic, Statistics};

use super::ExperimentError;
use crate::readback::{Portable, host_for};
use crate::world::{Call, Reader, World, Writer};

/// What an evaluation keeps of a batch.
pub(super) struct Evaluated<O> {
    /// Moments of the states: none, those of all layers, or those of each.
    pub moments: Vec<Moments>,
    pub output: O,
}

/// Computes each batch in one process, and takes all of them in their order in every process: the
/// results are bit for bit those of one process.
///
/// # Errors
/// If a batch cannot be read, a device fails, or `take` fails, here or in another process.
pub(super) fn in_turns<B, O: Portable>(
    world: &World,
    device: &Device,
    mut batches: impl Iterator<Item = Result<B, ExperimentError>>,
    compute: impl Fn(B) -> Evaluated<O>,
    mut take: impl FnMut(Evaluated<O>) -> Result<(), ExperimentError>,
) -> Result<(), ExperimentError> {
    if world.size() == 1 {
        return batches.try_for_each(|batch| take(compute(batch?)));
    }
    let host = host_for(device).unwrap_or_else(|| device.clone().without_autodiff());
    loop {
        let round = batches.by_ref().take(world.size());
        let round = round.collect::<Result<Vec<B>, _>>()?;
        if round.is_empty() {
            return Ok(());
        }
        let own = round.into_iter().nth(world.rank());
        let own = own.map(|batch| to_bytes(&compute(batch))).transpose()?;
        let found = world.gather(Call::Evaluation, own.unwrap_or_default())?;
        for bytes in found.iter().filter(|bytes| !bytes.is_empty()) {
            let evaluated = from_bytes(bytes, &host);
            take(evaluated.ok_or_else(|| world.out_of_step("their evaluations differ"))?)?;
        }
    }
}

fn to_bytes<O: Portable>(evaluated: &Evaluated<O>) -> Result<Vec<u8>, TensorReadError> {
    let Evaluated { moments, output } = evaluated;
    let moments = Statistics(moments.iter().cloned().map(Statistic::Moments).collect());
    let transaction = output.register(moments.register(Transaction::default()));
    let read = transaction.try_execute()?;
    let mut writer = Writer::default();
    writer.bytes(&moments.form()).bytes(&output.label());
    writer.number(read.len());
    for data in &read {
        writer.data(data);
    }
    Ok(writer.finish())
}

fn from_bytes<O: Portable>(bytes: &[u8], host: &Device) -> Option<Evaluated<O>> {
    let mut reader = Reader(bytes);
    let (form, label) = (reader.bytes()?, reader.bytes()?);
    let count = reader.number()?;
    let data = (0..count).map(|_| reader.data());
    let mut data = data.collect::<Option<Vec<_>>>()?.into_iter();
    let moments = Statistics::from_data(form, &mut data, host)?.0;
    let moments = moments.into_iter().map(|statistic| match statistic {
        Statistic::Moments(moments) => Some(moments),
        _ => None,
    });
    Some(Evaluated {
        moments: moments.collect::<Option<_>>()?,
        output: O::rebuilt(label, &mut data, host)?,
    })
}
