//! Reading ahead: the next block is made ready while a device computes on the last.

/// Hands each item, made ready by `make`, to `take`, in order; the next one is made meanwhile, on rayon's threads.
///
/// # Errors
/// The first of either, of those of one moment that of `take`. What comes after it is not taken.
pub(super) fn ahead<I: Send, T: Send, E: Send>(
    mut items: impl Iterator<Item = I>,
    make: impl Fn(I) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let mut ready = items.next().map(&make).transpose()?;
    while let Some(item) = ready {
        let next = items.next();
        let mut made = None;
        // In place: a device may keep its work apart by thread, and all of this is one piece of work.
        rayon::in_place_scope(|scope| {
            scope.spawn(|_| made = next.map(&make));
            take(item)
        })?;
        ready = made.transpose()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_taken_in_order_up_to_the_first_error() {
        let mut taken = Vec::new();
        let all = ahead(0..5, |item| Ok::<_, &str>(item * 10), |item| Ok(taken.push(item)));
        assert_eq!((all, taken), (Ok(()), vec![0, 10, 20, 30, 40]));

        let mut taken = Vec::new();
        let make = |item| if item == 2 { Err("made") } else { Ok(item) };
        assert_eq!(ahead(0..5, make, |item| Ok(taken.push(item))), Err("made"));
        assert_eq!(taken, [0, 1]);

        let mut taken = 0;
        let take = |item| {
            taken += 1;
            if item == 1 { Err("taken") } else { Ok(()) }
        };
        assert_eq!(ahead(0..5, make, take), Err("taken"));
        assert_eq!(taken, 2);
        assert_eq!(ahead(0..0, make, |_| Err("never")), Ok(()));
    }
}
