//! Reporting downloads from the hub to an observer.

use isostar_models::hub::{HubEvent, ModelId};

use crate::progress::{Phase, Progress};

/// Returns a callback that reports the download of the repository `id` to `observer`.
pub(crate) fn tell<'a>(
    observer: &'a dyn Progress,
    id: &'a ModelId,
) -> impl FnMut(HubEvent<'_>) + 'a {
    let mut running: Option<Phase> = None;
    move |event| match event {
        HubEvent::Progress {
            file,
            received,
            total,
        } => {
            let phase = Phase::Download {
                file: file.to_string(),
            };
            if running.as_ref() != Some(&phase) {
                observer.begin(phase.clone(), total as usize);
            }
            observer.advance(&phase, received as usize);
            running = (received < total).then(|| phase.clone());
            if running.is_none() {
                observer.end(&phase);
            }
        }
        HubEvent::Waiting { file } => observer.note(&format!(
            "another process is downloading {file}: waiting for it"
        )),
        HubEvent::FromCache { cause } => {
            observer.note(&format!("{cause}: using the cached copy of {id}"))
        }
        _ => {}
    }
}
