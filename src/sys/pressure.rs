//! How much others wait for this machine, as the kernel measures it (PSI).

use std::io;
use std::path::Path;

/// Where the kernel tells it.
pub const DIRECTORY: &str = "/proc/pressure";

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Cpu,
    Io,
    Memory,
}

impl Resource {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Io => "io",
            Self::Memory => "memory",
        }
    }
}

/// The share of the last ten seconds, in percent, in which somebody had to wait for it. An error where the kernel does not tell
/// (before 4.20, or with `psi=0`).
pub fn waiting(directory: &Path, resource: Resource) -> io::Result<f64> {
    let path = directory.join(resource.name());
    let text = std::fs::read_to_string(&path)?;
    let strange = || io::Error::other(format!("{} says nothing of the last ten seconds", path.display()));
    parse(&text).ok_or_else(strange)
}

fn parse(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let share: f64 = some.split_whitespace().find_map(|part| part.strip_prefix("avg10="))?.parse().ok()?;
    Some(share).filter(|share| (0.0..=100.0).contains(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        let text = "some avg10=83.16 avg60=54.57 avg300=19.80 total=1764103796\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        assert_eq!(parse(text), Some(83.16));
        for strange in
            ["", "full avg10=1.00", "some avg60=1.00", "some avg10=", "some avg10=NaN", "some avg10=-1.0"]
        {
            assert_eq!(parse(strange), None, "{strange}");
        }
    }
}
