//! The schedule that follows from a retention policy: as often as its finest level asks for.

use super::Retention;
use super::level::Level;

/// Cron schedules with six fields (second minute hour day month weekday; `L` is the last day of a month) that together say
/// when a backup is due; `None` if no level keeps anything.
///
/// A day that a month does not have means its last one, so that no month is left out.
pub fn derived_cron(policy: &Retention) -> Option<Vec<String>> {
    let (finest, _) = policy.levels.keeping().next()?;
    let at = |level: Level| policy.levels.of(level).reference;
    let second = at(Level::Minutely);
    let minute = format!("{second} {}", at(Level::Hourly));
    let hour = format!("{minute} {}", at(Level::Daily));
    let (day, month) = (at(Level::Monthly), at(Level::Yearly));
    Some(match finest {
        Level::Minutely => vec![format!("{second} * * * * *")],
        Level::Hourly => vec![format!("{minute} * * * *")],
        Level::Daily => vec![format!("{hour} * * *")],
        // Sunday is 7 for both.
        Level::Weekly => vec![format!("{hour} * * {}", at(Level::Weekly))],
        Level::Monthly => match day {
            31 => vec![format!("{hour} L * *")],
            29 | 30 => vec![format!("{hour} {day} 1,3-12 *"), format!("{hour} L 2 *")],
            _ => vec![format!("{hour} {day} * *")],
        },
        Level::Yearly if day == 31 || (month == 2 && day > 28) => vec![format!("{hour} L {month} *")],
        Level::Yearly => vec![format!("{hour} {day} {month} *")],
    })
}
