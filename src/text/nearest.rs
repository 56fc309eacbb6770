//! Suggests a known name for a mistyped one.

/// The known name with the fewest edits to `name`, if these are at most half of its characters. Of
/// several, the first in alphabetical order.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    nearest_within(name, known, name.chars().count().div_ceil(2))
}

/// The known name with the fewest edits to `name`, if these are at most `max_edits`.
pub fn nearest_within<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    max_edits: usize,
) -> Option<&'a str> {
    let (edits, nearest) = known.map(|k| (strsim::levenshtein(k, name), k)).min()?;
    (edits <= max_edits).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_suggested_only_if_it_is_similar() {
        let known = ["worker.linger", "worker.max_age", "exclude"];
        let check = |name, want| assert_eq!(nearest(name, known.into_iter()), want, "{name}");
        check("worker.lingr", Some("worker.linger"));
        check("exlcude", Some("exclude"));
        check("xyz", None);
    }
}
