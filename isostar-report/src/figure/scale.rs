//! Axis scales: positions of values, and ticks at round numbers.

use super::number::{exponent_of, fixed, power_of_ten, setting};

/// The kind of scale of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Linear.
    Linear,
    /// Linear with ticks at integers, such as epochs and layers.
    Integer,
    /// Logarithmic, from one round number to another. Numbers ≤ 0 have no position on it.
    Log,
    /// Logarithmic, from the first rank to the last.
    Rank,
}

impl Kind {
    fn is_log(self) -> bool {
        matches!(self, Self::Log | Self::Rank)
    }
}

/// A labelled tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value at the tick.
    pub value: f64,
    /// The text of the label.
    pub label: String,
}

/// The range of values that an axis shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Domain {
    kind: Kind,
    low: f64,
    high: f64,
    ticks: Vec<Tick>,
}

/// Above this number of decades, only powers of ten are labelled.
const DECADES: f64 = 1.5;

impl Domain {
    /// Returns the smallest domain that contains all values and begins and ends at round numbers,
    /// with about `wanted` ticks.
    ///
    /// Returns `None` if no value has a position on the axis.
    pub fn covering(kind: Kind, values: impl Iterator<Item = f64>, wanted: usize) -> Option<Self> {
        let has_place = |value: &f64| value.is_finite() && (*value > 0.0 || !kind.is_log());
        let (low, high) = values
            .filter(has_place)
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        let wanted = wanted.max(2);
        (low <= high).then(|| match kind {
            Kind::Linear => Self::linear(low, high, wanted),
            Kind::Integer => Self::integer(low, high, wanted),
            Kind::Log | Kind::Rank => Self::log(kind, low, high, wanted),
        })
    }

    fn linear(low: f64, high: f64, wanted: usize) -> Self {
        // A single value is centred on the axis.
        let pad = if high - low > 1e-12 * high.abs().max(low.abs()) {
            0.0
        } else {
            0.1 * high.abs().max(1e-3)
        };
        let (low, high) = (low - pad, high + pad);
        let step = round_step((high - low) / wanted as f64);
        // A value within a thousandth of a step of a tick counts as being on it.
        let first = (low / step + 1e-3).floor() as i64;
        let last = (high / step - 1e-3).ceil() as i64;
        let decimals = (-exponent_of(step)).max(0) as usize;
        let label = |value: f64| {
            if decimals > 4 || value.abs() >= 1e6 {
                setting(rounded(value, decimals))
            } else {
                fixed(value, decimals)
            }
        };
        let ticks = (first..=last)
            .map(|at| at as f64 * step)
            .map(|value| Tick {
                value,
                label: label(value),
            })
            .collect();
        Self {
            kind: Kind::Linear,
            low: first as f64 * step,
            high: last as f64 * step,
            ticks,
        }
    }

    fn integer(low: f64, high: f64, wanted: usize) -> Self {
        let step = round_step((high - low) / wanted as f64).max(1.0);
        let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
        let ticks = (first..=last)
            .map(|at| at as f64 * step)
            .map(|value| Tick {
                value,
                label: fixed(value, 0),
            })
            .collect();
        let pad = if low < high { 0.0 } else { 0.5 };
        Self {
            kind: Kind::Integer,
            low: low - pad,
            high: high + pad,
            ticks,
        }
    }

    fn log(kind: Kind, low: f64, high: f64, wanted: usize) -> Self {
        let (low, high) = if high / low > 1.0 + 1e-9 {
            (low, high)
        } else {
            (low / 2.0, high * 2.0)
        };
        let down = [5.0, 2.0, 1.0]
            .into_iter()
            .map(|digit| digit * 10f64.powi(exponent_of(low)));
        let up = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|digit| digit * 10f64.powi(exponent_of(high)));
        let (low, high) = match kind {
            Kind::Rank => (low, high),
            _ => (
                down.into_iter()
                    .find(|round| *round <= low * (1.0 + 1e-9))
                    .unwrap_or(low),
                up.into_iter()
                    .find(|round| *round >= high * (1.0 - 1e-9))
                    .unwrap_or(high),
            ),
        };

        let powers = exponent_of(low) + i32::from(low > 10f64.powi(exponent_of(low)) * 1.5)
            ..=exponent_of(high);
        let ticks = if (high / low).log10() > DECADES {
            let every = (powers.clone().count() as f64 / wanted as f64)
                .ceil()
                .max(1.0) as i32;
            let shown = powers.filter(|power| power.rem_euclid(every) == 0);
            shown
                .map(|power| Tick {
                    value: 10f64.powi(power),
                    label: power_of_ten(power),
                })
                .collect()
        } else {
            let digits = (exponent_of(low)..=exponent_of(high))
                .flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
            let inside =
                digits.filter(|value| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(value));
            inside
                .map(|value| Tick {
                    value,
                    label: setting(rounded(value, 12)),
                })
                .collect()
        };
        Self {
            kind,
            low,
            high,
            ticks,
        }
    }

    /// The labelled ticks.
    pub fn ticks(&self) -> &[Tick] {
        &self.ticks
    }

    /// The minor ticks between labelled powers of ten, at 2, 3, … 9 times each; empty on other
    /// axes.
    pub fn minor(&self) -> Vec<f64> {
        if !self.kind.is_log() || (self.high / self.low).log10() > 6.0 {
            return Vec::new();
        }
        let powers = exponent_of(self.low)..=exponent_of(self.high);
        let all =
            powers.flat_map(|power| (2..10).map(move |digit| f64::from(digit) * 10f64.powi(power)));
        let labelled = |value: &f64| {
            self.ticks
                .iter()
                .any(|tick| (tick.value / value - 1.0).abs() < 1e-9)
        };
        all.filter(|value| (self.low..=self.high).contains(value) && !labelled(value))
            .collect()
    }

    /// Returns the position of a value: 0 at the low end, 1 at the high end.
    ///
    /// Returns `None` if the value has no position on a logarithmic axis.
    pub fn position(&self, value: f64) -> Option<f64> {
        let position = match self.kind {
            Kind::Log | Kind::Rank => (value / self.low).ln() / (self.high / self.low).ln(),
            _ => (value - self.low) / (self.high - self.low),
        };
        position.is_finite().then_some(position)
    }

    /// Whether both ends are integers, so that marks there need a margin.
    pub fn is_integer(&self) -> bool {
        self.kind == Kind::Integer
    }

    /// Whether the domain contains 0.
    pub fn holds_zero(&self) -> bool {
        !self.kind.is_log() && self.low < 0.0 && self.high > 0.0
    }
}

/// Rounds up to 1, 2 or 5 times a power of ten.
fn round_step(step: f64) -> f64 {
    if step <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powi(exponent_of(step));
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|digit| digit * power)
        .find(|round| *round >= step * (1.0 - 1e-9))
        .unwrap_or(10.0 * power)
}

/// Rounds off the error of binary fractions.
fn rounded(value: f64, decimals: usize) -> f64 {
    format!("{value:.decimals$}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(kind: Kind, values: &[f64], wanted: usize) -> Vec<String> {
        let domain = Domain::covering(kind, values.iter().copied(), wanted).unwrap();
        domain
            .ticks()
            .iter()
            .map(|tick| tick.label.clone())
            .collect()
    }

    #[test]
    fn linear_ticks_are_round_and_enclose_the_values() {
        assert_eq!(
            labels(Kind::Linear, &[0.13, 0.61], 5),
            ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"]
        );
        assert_eq!(
            labels(Kind::Linear, &[-0.3, 0.3], 3),
            ["−0.4", "−0.2", "0.0", "0.2", "0.4"]
        );
        assert_eq!(
            labels(Kind::Linear, &[0.0, 4300.0], 5),
            ["0", "1000", "2000", "3000", "4000", "5000"]
        );
        assert_eq!(
            labels(Kind::Linear, &[0.0, 2e-6], 2),
            ["0", "1·10⁻⁶", "2·10⁻⁶"]
        );
    }

    #[test]
    fn a_single_value_stands_in_the_middle() {
        for value in [0.0, 0.5, -3.0, 1e9] {
            let domain = Domain::covering(Kind::Linear, [value].into_iter(), 4).unwrap();
            let position = domain.position(value).unwrap();
            assert!((0.2..=0.8).contains(&position), "{value} at {position}");
        }
        assert_eq!(labels(Kind::Integer, &[1.0], 4), ["1"]);
    }

    #[test]
    fn whole_numbers_have_whole_ticks() {
        assert_eq!(labels(Kind::Integer, &[1.0, 3.0], 8), ["1", "2", "3"]);
        assert_eq!(
            labels(Kind::Integer, &[0.0, 12.0], 6),
            ["0", "2", "4", "6", "8", "10", "12"]
        );
    }

    #[test]
    fn logarithmic_ticks_are_powers_of_ten_or_round_numbers_between_few_of_them() {
        assert_eq!(labels(Kind::Log, &[1.0, 384.0], 5), ["10⁰", "10¹", "10²"]);
        assert_eq!(
            labels(Kind::Log, &[3e-5, 2.0], 8),
            ["10⁻⁴", "10⁻³", "10⁻²", "10⁻¹", "10⁰"]
        );
        assert_eq!(
            labels(Kind::Log, &[0.03, 0.4], 5),
            ["0.02", "0.05", "0.1", "0.2", "0.5"]
        );
        let domain = Domain::covering(Kind::Log, [1.0, 100.0].into_iter(), 5).unwrap();
        assert_eq!(
            (
                domain.position(10.0),
                domain.position(0.0),
                domain.position(-1.0)
            ),
            (Some(0.5), None, None)
        );
    }

    #[test]
    fn numbers_without_a_place_leave_no_domain() {
        assert_eq!(
            Domain::covering(Kind::Linear, [f64::NAN, f64::INFINITY].into_iter(), 5),
            None
        );
        assert_eq!(
            Domain::covering(Kind::Log, [0.0, -1.0].into_iter(), 5),
            None
        );
    }
}
