//! Words by which a snapshot is found, and which of them people and hooks may give.

use super::printable;

/// What others read out of these words is for Lifeboat alone to say.
const RESERVED: [(&str, &str); 3] = [
    ("safety", "is for what a restore saves before it begins"),
    ("complete", "says that nothing is missing, which only a backup can know"),
    ("incomplete", "says that something is missing, which only a backup can know"),
];

/// In characters.
const LONGEST: usize = 200;

/// Why a word cannot be the tag of a snapshot, as the rest of a sentence that begins with it.
pub fn check_tag(tag: &str) -> Result<(), &'static str> {
    if let Some((_, why)) = RESERVED.iter().find(|(word, _)| *word == tag) {
        return Err(why);
    }
    if tag.is_empty() || tag.trim() != tag {
        return Err("is empty, or has a space at one of its ends");
    }
    // Restic separates tags by commas.
    if tag.contains(',') || printable(tag) != tag {
        return Err("has a comma or a control character in it");
    }
    if tag.chars().count() > LONGEST {
        return Err("is longer than 200 characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_tags_and_what_would_be_read_as_something_else_is_not() {
        for tag in ["keep", "before the update", "v1.2", "größer", "pin-until=2030-01-01T00:00:00Z"] {
            assert_eq!(check_tag(tag), Ok(()), "{tag}");
        }
        let long = "x".repeat(201);
        for tag in
            ["", " a", "a,b", "a\nb", "a\u{1b}b", "a\u{202e}b", "safety", "complete", "incomplete", &long]
        {
            assert!(check_tag(tag).is_err(), "{tag}");
        }
    }
}
