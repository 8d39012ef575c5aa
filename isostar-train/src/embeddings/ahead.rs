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

    /// What is taken of the items from 0 to 4, and how that ends.
    fn taken(make: impl Fn(usize) -> Result<usize, &'static str> + Sync, refused: usize) -> (Vec<usize>, Result<(), &'static str>) {
        let mut taken = Vec::new();
        let end = ahead(0..5, make, |item| {
            taken.push(item);
            if item == refused { Err("taken") } else { Ok(()) }
        });
        (taken, end)
    }

    #[test]
    fn items_are_taken_in_order_up_to_the_first_error() {
        assert_eq!(taken(|item| Ok(item * 10), 50), (vec![0, 10, 20, 30, 40], Ok(())));
        assert_eq!(taken(|item| if item == 2 { Err("made") } else { Ok(item) }, 5), (vec![0, 1], Err("made")));
        assert_eq!(taken(Ok, 1), (vec![0, 1], Err("taken")));
        assert_eq!(ahead(0..0, Ok::<i32, &str>, |_| Err("never")), Ok(()));
    }
}
