//! Words for people: the name that was probably meant, a driver's lines as one, and texts without their secrets.

pub(crate) mod names;
pub(crate) mod secrets;

/// The name nearest to what was written, at most a third of its letters away and whatever the case; of equals the
/// first by name.
///
/// The file's checker has a stricter bound of its own, since it guesses at words of a fixed vocabulary too.
pub(crate) fn nearest<'a>(written: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = written.to_lowercase();
    let limit = wanted.chars().count().div_ceil(3);
    names
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&wanted, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, name)| name)
}

/// Joins what a driver says in several lines into one line, for the middle of a sentence. libpq's texts have a line for
/// each address, and an empty last line.
pub(crate) fn one_line(cause: &str) -> String {
    cause.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_third_of_the_letters_may_be_wrong_and_no_more() {
        let names = ["default", "blog_db", "blog_dc"];
        assert_eq!(nearest("blgo_db", names), Some("blog_db"));
        assert_eq!(nearest("BLOG_DB", names), Some("blog_db"));
        assert_eq!(nearest("blog_dx", names), Some("blog_db"), "of equals the first by name");
        assert_eq!(nearest("warehouse", names), None);
    }
}
