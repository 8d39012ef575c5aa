//! Placement of labels so that they do not overlap.

use super::text::{LINE, SIZE, width};

/// A rectangle: left, top, right, bottom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Area {
    /// The minimum x.
    pub left: f64,
    /// The minimum y.
    pub top: f64,
    /// The maximum x.
    pub right: f64,
    /// The maximum y.
    pub bottom: f64,
}

impl Area {
    /// Returns a square around a point.
    pub fn around(x: f64, y: f64, radius: f64) -> Self {
        Self {
            left: x - radius,
            top: y - radius,
            right: x + radius,
            bottom: y + radius,
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn holds(&self, other: &Self) -> bool {
        self.left <= other.left
            && self.top <= other.top
            && other.right <= self.right
            && other.bottom <= self.bottom
    }
}

/// The position of a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The x at which the text begins.
    pub x: f64,
    /// The y of the baseline.
    pub y: f64,
    /// The area that the label covers.
    pub area: Area,
}

/// Moves y positions at least `gap` apart, within `low` and `high`.
///
/// Returns the positions in the order of `wanted`, or `None` if they do not fit.
pub fn spread(wanted: &[f64], gap: f64, low: f64, high: f64) -> Option<Vec<f64>> {
    if wanted.is_empty() {
        return Some(Vec::new());
    }
    if (wanted.len() - 1) as f64 * gap > high - low {
        return None;
    }
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&one, &other| wanted[one].total_cmp(&wanted[other]));
    // One pass from the top separates each position from the one above; one pass from the bottom
    // moves positions back inside.
    let mut places = vec![0.0; wanted.len()];
    let mut next = low;
    for &at in &order {
        places[at] = wanted[at].max(next);
        next = places[at] + gap;
    }
    let mut next = high;
    for &at in order.iter().rev() {
        places[at] = places[at].min(next);
        next = places[at] - gap;
    }
    Some(places)
}

/// Finds the nearest position beside a point at which text lies inside and overlaps no obstacle.
///
/// Returns `None` if there is none within reach.
pub fn beside(text: &str, x: f64, y: f64, inside: &Area, obstacles: &[Area]) -> Option<Placed> {
    const DIRECTIONS: [(f64, f64); 8] = [
        (1.0, 0.0),
        (-1.0, 0.0),
        (0.0, -1.0),
        (0.0, 1.0),
        (1.0, -1.0),
        (1.0, 1.0),
        (-1.0, -1.0),
        (-1.0, 1.0),
    ];
    let (wide, tall) = (width(text), LINE);
    for distance in [8.0, 16.0, 26.0, 38.0, 52.0] {
        for (right, down) in DIRECTIONS {
            let left = x + right * distance + (right - 1.0) / 2.0 * wide;
            let middle = y + down * (distance + tall / 2.0 - 3.0);
            let area = Area {
                left,
                top: middle - tall / 2.0,
                right: left + wide,
                bottom: middle + tall / 2.0,
            };
            if inside.holds(&area) && !obstacles.iter().any(|obstacle| obstacle.overlaps(&area)) {
                return Some(Placed {
                    x: left,
                    y: middle + 0.35 * SIZE,
                    area,
                });
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_move_apart_and_stay_inside() {
        assert_eq!(
            spread(&[10.0, 50.0], 15.0, 0.0, 100.0),
            Some(vec![10.0, 50.0])
        );
        assert_eq!(
            spread(&[99.0, 98.0, 97.0], 15.0, 0.0, 100.0),
            Some(vec![100.0, 85.0, 70.0])
        );
        assert_eq!(spread(&[1.0; 9], 15.0, 0.0, 100.0), None);
    }

    #[test]
    fn labels_of_crowded_points_do_not_overlap() {
        let inside = Area {
            left: 0.0,
            top: 0.0,
            right: 300.0,
            bottom: 200.0,
        };
        let points: Vec<(f64, f64)> = (0..8)
            .map(|at| (150.0 + at as f64 * 4.0, 100.0 - at as f64 * 3.0))
            .collect();
        let mut taken: Vec<Area> = points
            .iter()
            .map(|&(x, y)| Area::around(x, y, 4.0))
            .collect();
        let marks = taken.len();
        for &(x, y) in &points {
            if let Some(placed) = beside("λ = −0.5", x, y, &inside, &taken) {
                assert!(
                    inside.holds(&placed.area)
                        && !taken.iter().any(|area| area.overlaps(&placed.area))
                );
                taken.push(placed.area);
            }
        }
        assert!(
            taken.len() >= marks + 6,
            "{} of 8 labels found a place",
            taken.len() - marks
        );
    }
}
