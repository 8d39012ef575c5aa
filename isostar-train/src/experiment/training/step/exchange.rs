//! What the processes of a world pass to each other in a step.

use burn::prelude::*;
use burn::tensor::{TensorReadError, Transaction};
use isostar_core::Statistics;

use super::error::StepError;
use super::outputs::Done;
use crate::metric::StateCount;
use crate::readback::{Portable, host_for};
use crate::world::{Call, Reader, World, Writer};

/// The statistics of the parts of all processes, in the order of ranks, without gradient; and the
/// number of those before the parts of this process.
///
/// # Errors
/// If a device cannot be read, or a process has failed.
pub(super) fn statistics(
    world: &World,
    own: Vec<Statistics>,
    device: &Device,
) -> Result<(Vec<Statistics>, usize), StepError> {
    if world.size() == 1 {
        return Ok((own, 0));
    }
    let transaction = own
        .iter()
        .fold(Transaction::default(), |transaction, part| {
            part.register(transaction)
        });
    let mut writer = Writer::default();
    writer.number(own.len());
    for part in &own {
        writer.bytes(&part.form());
    }
    write_all(&mut writer, transaction)?;
    let device = device.clone().without_autodiff();
    let mut all = Vec::new();
    let mut before = 0;
    let found = world.gather(Call::Statistics, writer.finish())?;
    for (rank, bytes) in found.iter().enumerate() {
        if rank == world.rank() {
            before = all.len();
        }
        let parts = read_statistics(bytes, &device);
        all.extend(parts.ok_or_else(|| world.out_of_step("their statistics differ in form"))?);
    }
    Ok((all, before))
}

fn read_statistics(bytes: &[u8], device: &Device) -> Option<Vec<Statistics>> {
    let mut reader = Reader(bytes);
    let count = reader.number()?;
    let forms = (0..count).map(|_| reader.bytes());
    let forms: Vec<&[u8]> = forms.collect::<Option<_>>()?;
    let mut data = read_all(&mut reader)?.into_iter();
    let parts = forms
        .into_iter()
        .map(|form| Statistics::from_data(form, &mut data, device));
    parts.collect()
}

/// The parts of all processes in the order of ranks, on the host, and whether any process has a
/// gradient of each parameter.
///
/// # Arguments
/// - `rows`: the number of rows of the batch
/// - `present`: whether this process has a gradient of each parameter
///
/// # Errors
/// If a device cannot be read, or a process has failed.
pub(super) fn outputs<O: Portable>(
    world: &World,
    own: Vec<Done<O>>,
    rows: usize,
    present: Vec<bool>,
    device: &Device,
) -> Result<(Vec<Done<O>>, Vec<bool>), StepError> {
    let mut writer = Writer::default();
    let present: Vec<u8> = present.into_iter().map(u8::from).collect();
    writer.bytes(&present).number(own.len());
    for part in &own {
        // A weight is a number of rows divided by that of all rows.
        writer.number(part.first_row);
        writer.number((part.weight * rows as f64).round() as usize);
        let states = part.states.as_ref().map(StateCount::to_numbers);
        let states = states.transpose()?;
        writer.number(usize::from(states.is_some()));
        for number in states.into_iter().flatten() {
            writer.number(number);
        }
        writer.bytes(&part.output.label());
        let task_loss = Transaction::default().register(part.task_loss.clone());
        write_all(&mut writer, task_loss)?;
        write_all(&mut writer, part.output.register(Transaction::default()))?;
    }
    let plain = device.clone().without_autodiff();
    let host = host_for(device).unwrap_or(plain);
    let (mut parts, mut any) = (Vec::new(), vec![false; present.len()]);
    for bytes in world.gather(Call::Outputs, writer.finish())? {
        let (present, found) = read_outputs(&bytes, rows, &host)
            .filter(|(present, _)| present.len() == any.len())
            .ok_or_else(|| world.out_of_step("their models differ"))?;
        parts.extend(found);
        for (any, present) in any.iter_mut().zip(present) {
            *any |= *present != 0;
        }
    }
    Ok((parts, any))
}

fn read_outputs<'a, O: Portable>(
    bytes: &'a [u8],
    rows: usize,
    host: &Device,
) -> Option<(&'a [u8], Vec<Done<O>>)> {
    let mut reader = Reader(bytes);
    let present = reader.bytes()?;
    let count = reader.number()?;
    let part = |_| {
        let first_row = reader.number()?;
        let weight = reader.number()? as f64 / rows as f64;
        let states = match reader.number()? {
            0 => None,
            _ => Some([reader.number()?, reader.number()?, reader.number()?]),
        };
        let label = reader.bytes()?;
        let task_loss = read_all(&mut reader)?.pop()?;
        let mut output = read_all(&mut reader)?.into_iter();
        Some(Done {
            first_row,
            weight,
            task_loss: Tensor::from_data(task_loss, host),
            states: states.map(StateCount::from_numbers),
            output: O::rebuilt(label, &mut output, host)?,
        })
    };
    let parts = (0..count).map(part).collect::<Option<_>>()?;
    Some((present, parts))
}

/// Writes what a transaction reads.
fn write_all(writer: &mut Writer, transaction: Transaction) -> Result<(), TensorReadError> {
    let read = transaction.try_execute()?;
    writer.number(read.len());
    for data in &read {
        writer.data(data);
    }
    Ok(())
}

fn read_all(reader: &mut Reader<'_>) -> Option<Vec<TensorData>> {
    let count = reader.number()?;
    (0..count).map(|_| reader.data()).collect()
}
