//! Offered rates: one, or a ramp with a search for the knee. Nothing here measures.

use std::str::FromStr;

use tick_sdk::quantity::parse_rate;

/// Ticks/s to offer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rates {
    /// One rate.
    Fixed(f64),
    /// From one rate to another.
    Ramp {
        /// The first.
        from: f64,
        /// None is higher.
        to: f64,
        /// From each to the next.
        stride: Stride,
    },
}

/// From one rate to the next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stride {
    /// So many times as much.
    Times(f64),
    /// So many ticks/s more.
    Plus(f64),
}

impl FromStr for Rates {
    type Err = String;

    /// `100K`; `1K..1M x2`; `1K..10K +1K`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is not a valid rate: write 100K, or a ramp as 1K..1M x2 or 1K..10K +1K");
        let rate = |text: &str| parse_rate(text.trim()).map_err(|_| wrong());
        let Some((from, rest)) = text.split_once("..") else { return rate(text).map(Self::Fixed) };
        let (to, stride) = match rest.trim().split_once(char::is_whitespace) {
            Some((to, stride)) => (to, stride.trim()),
            None => (rest, "x2"),
        };
        let (from, to) = (rate(from)?, rate(to)?);
        let stride = if let Some(factor) = stride.strip_prefix('x') {
            Stride::Times(factor.parse().ok().filter(|factor| *factor > 1.0).ok_or_else(wrong)?)
        } else {
            Stride::Plus(rate(stride.strip_prefix('+').ok_or_else(wrong)?)?)
        };
        if from < to { Ok(Self::Ramp { from, to, stride }) } else { Err(wrong()) }
    }
}

impl Rates {
    /// The one that is offered first.
    pub(crate) fn lowest(self) -> f64 {
        match self {
            Self::Fixed(rate) => rate,
            Self::Ramp { from, .. } => from,
        }
    }
}

impl std::fmt::Display for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(rate) => write!(f, "{rate}"),
            Self::Ramp { from, to, stride: Stride::Times(factor) } => write!(f, "{from}..{to} x{factor}"),
            Self::Ramp { from, to, stride: Stride::Plus(more) } => write!(f, "{from}..{to} +{more}"),
        }
    }
}

/// Goes through a ramp until a rate is not carried, then halves the distance to the one before it.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    rates: Rates,
    next: Option<f64>,
    carried: Option<f64>,
    refused: Option<f64>,
    refinements: u32,
}

/// How often the distance is halved: with a ramp of x2 the knee is then known to 19 %.
const REFINEMENTS: u32 = 2;

impl Search {
    /// Begins with the first rate.
    pub(crate) fn new(rates: Rates) -> Self {
        Self { rates, next: Some(rates.lowest()), carried: None, refused: None, refinements: 0 }
    }

    /// What to offer next; `None` at the end.
    pub(crate) fn next_rate(&self) -> Option<f64> {
        self.next
    }

    /// The last rate was carried, or it was not.
    pub(crate) fn note(&mut self, is_carried: bool) {
        let Some(rate) = self.next else { return };
        let place = if is_carried { &mut self.carried } else { &mut self.refused };
        *place = Some(rate);
        self.next = match (self.carried, self.refused) {
            (Some(_), None) => self.climb(rate),
            (Some(low), Some(high)) if self.refinements < REFINEMENTS => {
                self.refinements += 1;
                Some((low * high).sqrt())
            }
            // Not even the first one was.
            _ => None,
        };
    }

    /// The highest rate that was carried, and the lowest that was not.
    pub(crate) fn knee(&self) -> (Option<f64>, Option<f64>) {
        (self.carried, self.refused)
    }

    fn climb(&self, rate: f64) -> Option<f64> {
        let Rates::Ramp { to, stride, .. } = self.rates else { return None };
        let higher = match stride {
            Stride::Times(factor) => rate * factor,
            Stride::Plus(more) => rate + more,
        };
        // The end of the ramp is one of its rates, wherever the strides fall.
        (rate < to).then(|| higher.min(to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        assert_eq!("100K".parse(), Ok(Rates::Fixed(100_000.0)));
        let ramp = |stride| Ok(Rates::Ramp { from: 1e3, to: 1e6, stride });
        assert_eq!("1k..1M x2".parse(), ramp(Stride::Times(2.0)));
        assert_eq!("1K..1M".parse(), ramp(Stride::Times(2.0)));
        assert_eq!("1K..1M +5K".parse(), ramp(Stride::Plus(5e3)));
        for wrong in ["", "fast", "1K..", "2K..1K", "1K..1K", "1K..1M x1", "1K..1M 2", "1K..1M xx", "0"] {
            assert!(wrong.parse::<Rates>().is_err(), "{wrong}");
        }
    }

    fn searched(rates: &str, limit: f64) -> (Vec<f64>, Search) {
        let mut search = Search::new(rates.parse().expect("it is a ramp"));
        let mut tried = Vec::new();
        while let Some(rate) = search.next_rate() {
            tried.push(rate.round());
            search.note(rate <= limit);
        }
        (tried, search)
    }

    #[test]
    fn the_knee_is_found_between_two_steps() {
        let (tried, search) = searched("1K..1M x4", 30_000.0);
        assert_eq!(tried, [1e3, 4e3, 16e3, 64e3, 32e3, 22_627.0]);
        assert_eq!(search.knee(), (Some((16e3f64 * 32e3).sqrt()), Some(32e3)));
    }

    #[test]
    fn a_ramp_that_is_carried_ends_at_its_end_and_one_that_never_is_at_once() {
        let (tried, search) = searched("1K..10K x4", 1e9);
        assert_eq!(tried, [1e3, 4e3, 10e3]);
        assert_eq!(search.knee(), (Some(10e3), None));
        let (tried, search) = searched("1K..3K +1K", 0.0);
        assert_eq!((tried.len(), search.knee()), (1, (None, Some(1e3))));
    }
}
