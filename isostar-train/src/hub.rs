//! What the hub brings, told to an observer.

use isostar_models::hub::{HubEvent, ModelId};

use crate::experiment::{Observer, Phase};

/// Passes on what happens while files of the repository `id` are brought.
pub(crate) fn tell<'a>(observer: &'a dyn Observer, id: &'a ModelId) -> impl FnMut(HubEvent<'_>) + 'a {
    let mut running: Option<Phase> = None;
    move |event| match event {
        HubEvent::Progress { file, received, total } => {
            let phase = Phase::Download { file: file.to_string() };
            if running.as_ref() != Some(&phase) {
                observer.begin(phase.clone(), total as usize);
            }
            observer.advance(&phase, received as usize);
            running = (received < total).then(|| phase.clone());
            if running.is_none() {
                observer.end(&phase);
            }
        }
        HubEvent::Waiting { file } => observer.note(&format!("another process is downloading {file}: waiting for it")),
        HubEvent::FromCache { cause } => observer.note(&format!("{cause}: using {id} as it was downloaded earlier")),
        _ => {}
    }
}
