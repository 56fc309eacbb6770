//! Keys of the resume store, as dispatchers build them: `<forge>:<agent>:<repo>:<issue>`.

/// Forge and agent are names, so they are written small.
///
/// # Errors
/// A sentence that says which part cannot be one.
pub fn build(forge: &str, agent: &str, repo: &str, issue: &str) -> Result<String, String> {
    let part = |name: &str, text: &str| {
        let text = text.trim();
        let odd = |c: char| c == ':' || c.is_whitespace() || c.is_control();
        if text.is_empty() || text.contains(odd) {
            return Err(format!("'{text}' is no {name}: one word, without a colon"));
        }
        Ok(text.to_owned())
    };
    let forge = part("forge", forge)?.to_lowercase();
    let agent = part("agent", agent)?.to_lowercase();
    Ok(format!("{forge}:{agent}:{}:{}", part("repository", repo)?, part("issue", issue)?))
}

/// Whether a text may be a key or an id at all.
///
/// # Errors
/// A sentence.
pub fn check(what: &str, text: &str) -> Result<(), String> {
    const MOST: usize = 512;
    if text.trim().is_empty() || text.contains(char::is_control) || text.len() > MOST {
        return Err(format!("that is no {what}: some text in one line, {MOST} bytes at most"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_four_parts() {
        let check = |parts: [&str; 4], want: Result<&str, &str>| {
            let [forge, agent, repo, issue] = parts;
            let built = build(forge, agent, repo, issue);
            assert_eq!(built.as_deref().map_err(|why| why.split(':').next().unwrap()), want);
        };
        check(["GitHub", "Claude", "Owner/Repo", "12"], Ok("github:claude:Owner/Repo:12"));
        check(["gh", "a", "r", ""], Err("'' is no issue"));
        check(["gh:x", "a", "r", "1"], Err("'gh"));
        check(["gh", "a", "two words", "1"], Err("'two words' is no repository"));
    }
}
