//! Keys of the resume store, as dispatchers build them: `<forge>:<agent>:<repo>:<issue>`.

/// Builds a key. Forge and agent become lowercase.
///
/// # Errors
/// A message that names the invalid part.
pub fn build(forge: &str, agent: &str, repo: &str, issue: &str) -> Result<String, String> {
    let part = |name: &str, text: &str| {
        let text = text.trim();
        let forbidden = |c: char| c == ':' || c.is_whitespace() || c.is_control();
        if text.is_empty() || text.contains(forbidden) {
            return Err(format!("invalid {name} '{text}': use one word without a colon"));
        }
        Ok(text.to_owned())
    };
    let forge = part("forge", forge)?.to_lowercase();
    let agent = part("agent", agent)?.to_lowercase();
    Ok(format!("{forge}:{agent}:{}:{}", part("repository", repo)?, part("issue", issue)?))
}

/// Checks that a text is a valid key or id.
///
/// # Errors
/// A message with the allowed format.
pub fn check(name: &str, text: &str) -> Result<(), String> {
    const MAX: usize = 512;
    if text.trim().is_empty() || text.contains(char::is_control) || text.len() > MAX {
        return Err(format!("invalid {name}: use one line of at most {MAX} bytes"));
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
        check(["gh", "a", "r", ""], Err("invalid issue ''"));
        check(["gh:x", "a", "r", "1"], Err("invalid forge 'gh"));
        check(["gh", "a", "two words", "1"], Err("invalid repository 'two words'"));
    }
}
