//! Producing items on a thread ahead of their consumer.

use std::sync::mpsc;
use std::thread::Scope;

/// Runs the iterator `items` on its own thread, one item ahead of the consumer.
///
/// The thread ends with the items, or when the returned iterator is dropped.
pub(super) fn ahead<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    items: impl Iterator<Item = T> + Send + 'scope,
) -> impl Iterator<Item = T> + Send + 'scope {
    let (ready, taken) = mpsc::sync_channel(0);
    scope.spawn(move || {
        items
            .map(|item| ready.send(item))
            .take_while(Result::is_ok)
            .for_each(drop)
    });
    taken.into_iter()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn items_come_in_order_through_several_stages() {
        let items: Vec<usize> = thread::scope(|scope| {
            let first = ahead(scope, 0..100);
            ahead(scope, first.map(|item| item * 2)).collect()
        });
        assert_eq!(items, (0..200).step_by(2).collect::<Vec<_>>());
    }

    #[test]
    fn one_item_is_made_ahead_and_no_more_after_the_consumer_is_dropped() {
        let made = AtomicUsize::new(0);
        let count = |item: usize| {
            made.fetch_add(1, Ordering::SeqCst);
            item
        };
        thread::scope(|scope| {
            let mut items = ahead(scope, (0..).map(count));
            assert_eq!((items.next(), items.next()), (Some(0), Some(1)));
        });
        assert_eq!(made.load(Ordering::SeqCst), 3);
    }

    #[test]
    #[should_panic(expected = "a scoped thread panicked")]
    fn a_panic_is_not_mistaken_for_the_end() {
        thread::scope(|scope| ahead(scope, (0..3).map(|item| [0, 1][item])).count());
    }
}
