//! When a storage will be full: the median of the slopes between all pairs of samples (Theil and Sen), which neither a prune,
//! nor one large upload, nor a wrong sample bends much.

use jiff::Timestamp;

use super::samples::Sample;

/// Older samples say little of what happens now, in seconds.
const LOOK_BACK: i64 = 30 * DAY;

/// Half days: of the samples in one, the middle one counts, so that a pair is never only noise.
const BUCKET: i64 = DAY / 2;

/// With fewer or over a shorter time, nothing is foretold.
const LEAST_BUCKETS: usize = 6;
const LEAST_SPAN: i64 = 3 * DAY;

const DAY: i64 = 86_400;

/// How it goes on if it goes on like this.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    pub days_left: f64,
    /// Bytes.
    pub per_day: f64,
}

/// `None` if the storage does not get fuller, or too little is known.
pub fn forecast(samples: &[Sample], now: Timestamp) -> Option<Forecast> {
    let last = samples.iter().rfind(|sample| sample.at <= now)?;
    let points = points(samples, last, now);
    let (first, newest) = (points.first()?, points.last()?);
    if points.len() < LEAST_BUCKETS || newest.0 - first.0 < seconds(LEAST_SPAN) {
        return None;
    }
    let mut slopes = Vec::new();
    for (at, (time, used)) in points.iter().enumerate() {
        slopes.extend(points[at + 1..].iter().map(|(later, more)| (more - used) / (later - time)));
    }
    let per_day = median(&mut slopes)? * seconds(DAY);
    // Less than a thousandth of the storage in a year is standing still.
    if per_day * 365.0 < bytes(last.total) / 1000.0 {
        return None;
    }
    Some(Forecast { days_left: bytes(last.free) / per_day, per_day })
}

/// One point for each half day: seconds and used bytes. Only since the storage had the size that it has now.
fn points(samples: &[Sample], last: &Sample, now: Timestamp) -> Vec<(f64, f64)> {
    let resized = |sample: &Sample| sample.total.abs_diff(last.total) > last.total / 100;
    let usable = samples.iter().rev().filter(|sample| sample.at <= now).take_while(|sample| !resized(sample));
    let mut buckets: Vec<(i64, Vec<(f64, f64)>)> = Vec::new();
    for sample in usable.take_while(|sample| now.as_second() - sample.at.as_second() <= LOOK_BACK) {
        let bucket = sample.at.as_second().div_euclid(BUCKET);
        let point = (seconds(sample.at.as_second()), bytes(sample.total.saturating_sub(sample.free)));
        match buckets.last_mut() {
            Some((at, points)) if *at == bucket => points.push(point),
            _ => buckets.push((bucket, vec![point])),
        }
    }
    let middle = |(_, mut points): (i64, Vec<(f64, f64)>)| {
        points.sort_by(|one, other| one.1.total_cmp(&other.1));
        points[points.len() / 2]
    };
    let mut points: Vec<_> = buckets.into_iter().map(middle).collect();
    points.sort_by(|one, other| one.0.total_cmp(&other.0));
    points
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { f64::midpoint(values[middle - 1], upper) })
}

#[allow(clippy::cast_precision_loss)] // far less than is known anyway
const fn bytes(count: u64) -> f64 {
    count as f64
}

#[allow(clippy::cast_precision_loss)]
const fn seconds(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn at(hour: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + hour * 3600).unwrap()
    }

    fn log(hours: i64, used: impl Fn(i64) -> u64) -> Vec<Sample> {
        let total = 1000 * GIB;
        (0..hours).map(|hour| Sample { at: at(hour), free: total - used(hour), total }).collect()
    }

    /// 2 GiB a day on 1000, of which 500 are used at first.
    const fn steady(hour: i64) -> u64 {
        500 * GIB + hour.unsigned_abs() * 2 * GIB / 24
    }

    #[test]
    fn a_steady_growth_is_foretold() {
        let samples = log(20 * 24, steady);
        let forecast = forecast(&samples, at(20 * 24)).unwrap();
        assert!((forecast.days_left - 230.0).abs() < 2.0, "{forecast:?}");
    }

    #[test]
    fn prunes_uploads_and_wrong_samples_bend_it_little() {
        let saw = |hour: i64| {
            let pruned = 3 * GIB * u64::from(hour % 168 < 24);
            let upload = 4 * GIB * u64::from(hour % 100 == 7);
            let wrong = 400 * GIB * u64::from(hour == 33 || hour == 340);
            steady(hour) + upload + wrong - pruned
        };
        let samples = log(25 * 24, saw);
        let forecast = forecast(&samples, at(25 * 24)).unwrap();
        assert!((forecast.days_left - 225.0).abs() < 15.0, "{forecast:?}");
    }

    #[test]
    fn nothing_is_foretold_of_too_little_or_of_what_does_not_grow() {
        assert_eq!(forecast(&[], at(0)), None);
        assert_eq!(forecast(&log(48, steady), at(48)), None, "two days are too few");
        assert_eq!(forecast(&log(480, |_| 500 * GIB), at(480)), None, "standing still");
        assert_eq!(forecast(&log(480, |hour| 900 * GIB - steady(hour) / 2), at(480)), None, "emptier");
        let mut grown = log(480, steady);
        grown[..340].iter_mut().for_each(|sample| {
            sample.total = 600 * GIB;
            sample.free = 10 * GIB;
        });
        let known = forecast(&grown, at(480)).unwrap();
        assert!((known.days_left - 230.0).abs() < 3.0, "only since it was made larger: {known:?}");
        assert_eq!(forecast(&grown, at(100)), None, "what is in the future is no fact");
    }
}
