//! Changes beyond the work tree: installs, pushes, releases, deployments, pull requests, issues.

use super::shell::SimpleCommand;
use crate::memory::{Effect, EffectKind};
use crate::text::is_name;

/// What a successful command changed beyond the work tree.
///
/// Of the output, only names, links and counts are used: its other words are third-party text.
pub fn read(command: &SimpleCommand, output: &str) -> Option<Effect> {
    use EffectKind::{Deployed, Installed, Migrated, Other, Pushed, Released, Tagged};
    let (program, verb) = (command.program(), command.verb());
    if command.has("--dry-run") || command.has("--help") || command.has("-h") {
        return None;
    }
    let effect = |kind, text: String| Some(Effect { kind, text, count: 1, ..Effect::default() });
    if let Some(names) = installed(command) {
        return effect(Installed, format!("Installed {names} ({program})"));
    }
    let lines = || output.lines().map(str::trim);
    let argument = |at: usize| command.args().nth(at);
    match (program, verb) {
        ("git", "push") if command.has("--delete") || command.has("-d") => {
            effect(Other, format!("Deleted {} on the remote", argument(2)?))
        }
        ("git", "push") => effect(Pushed, pushed(output)),
        ("git", "tag") => {
            const LISTS: [&str; 6] = ["-l", "-d", "--list", "--delete", "-v", "--verify"];
            let name = argument(1)?;
            let lists = LISTS.iter().any(|flag| command.has(flag));
            if lists { None } else { effect(Tagged, format!("Tagged {name}")) }
        }
        ("gh" | "glab", _) => forge(command, output),
        ("terraform" | "tofu", "apply" | "destroy") => effect(Deployed, terraform(output)?),
        ("kubectl" | "oc", "apply" | "create" | "delete" | "rollout" | "scale" | "patch") => {
            effect(Deployed, kubernetes(output)?)
        }
        ("helm", "install" | "upgrade") => {
            let status = lines().find_map(|l| l.strip_prefix("STATUS: ")).filter(|s| is_name(s))?;
            effect(Deployed, format!("helm {verb} {}: {status}", argument(1).unwrap_or("")))
        }
        ("docker" | "podman", "push") => effect(Released, format!("Pushed image {}", argument(1)?)),
        ("npm" | "pnpm" | "yarn" | "cargo" | "uv" | "poetry" | "twine", "publish" | "upload") => {
            effect(Released, format!("Published with {program}"))
        }
        (
            "fly" | "flyctl" | "vercel" | "netlify" | "wrangler" | "firebase" | "railway",
            "deploy",
        )
        | ("serverless" | "sls" | "cdk" | "eb" | "heroku", "deploy") => {
            effect(Deployed, format!("Deployed with {program}"))
        }
        ("ansible-playbook", _) => effect(Deployed, ansible(verb, output)?),
        ("alembic", "upgrade" | "downgrade")
        | ("rails" | "rake", "db:migrate")
        | ("mix", "ecto.migrate")
        | ("artisan" | "manage.py", "migrate")
        | ("diesel" | "sqlx" | "dbmate" | "flyway" | "knex", "migrate" | "migration" | "up") => {
            effect(Migrated, format!("Ran migrations ({program} {verb})"))
        }
        ("npx" | "prisma", "migrate") => effect(Migrated, format!("Ran migrations ({program})")),
        ("bd", "close") => {
            lines().find(|l| l.contains("Closed "))?;
            effect(EffectKind::Issue, format!("Closed {}", argument(1)?))
        }
        _ => None,
    }
}

/// Pull requests, issues and releases of the project's forge: `gh pr create`, `gh api -X POST`.
fn forge(command: &SimpleCommand, output: &str) -> Option<Effect> {
    let (program, object) = (command.program(), command.verb());
    if object == "api" {
        return forge_api(command);
    }
    let verb = command.args().nth(1)?;
    const CHANGES: [&str; 13] = [
        "create", "merge", "close", "comment", "edit", "reopen", "review", "ready", "delete",
        "upload", "note", "update", "transfer",
    ];
    let kind = match object {
        "pr" | "mr" => EffectKind::PullRequest,
        "issue" => EffectKind::Issue,
        "release" => EffectKind::Released,
        "workflow" | "run" if matches!(verb, "run" | "rerun" | "cancel") => EffectKind::Other,
        "secret" | "variable" | "label" | "repo" if matches!(verb, "set" | "create" | "delete") => {
            EffectKind::Other
        }
        _ => return None,
    };
    if kind != EffectKind::Other && !CHANGES.contains(&verb) {
        return None;
    }
    let is_link = |word: &&str| word.starts_with("https://") && is_name(word);
    let link = output.split_whitespace().find(is_link).unwrap_or("").to_owned();
    let names_target =
        verb != "create" && object != "secret" || matches!(object, "label" | "secret");
    let target = command.args().nth(2).filter(|word| names_target && is_name(word));
    let text = format!("{program} {object} {verb} {}", target.unwrap_or("")).trim().to_owned();
    Some(Effect { kind, text, link, count: 1, ..Effect::default() })
}

/// `gh api` with a method or a body that changes something.
fn forge_api(command: &SimpleCommand) -> Option<Effect> {
    let method = command.option("-X").or_else(|| command.option("--method"));
    let has_body = ["-f", "-F", "--field", "--raw-field", "--input"].iter().any(|f| command.has(f));
    let reads = match method {
        Some(method) => method == "GET",
        None => !has_body,
    };
    let mut words = command.words.iter().skip(2).map(String::as_str);
    let path = words.find(|word| word.contains('/') && !word.starts_with('-') && is_name(word))?;
    if reads || path == "graphql" {
        return None;
    }
    let kind = if path.contains("/pulls") {
        EffectKind::PullRequest
    } else if path.contains("/issues") {
        EffectKind::Issue
    } else {
        EffectKind::Other
    };
    let text = format!("gh api {} {path}", method.unwrap_or("POST"));
    Some(Effect { kind, text, count: 1, ..Effect::default() })
}

/// `Apply complete! Resources: 1 added, 0 changed, 0 destroyed.`
fn terraform(output: &str) -> Option<String> {
    output.lines().map(str::trim).find_map(|line| {
        let (head, counts) = line.split_once(" complete! Resources: ")?;
        let is_count = |part: &str| {
            let words: Vec<&str> = part.split(' ').collect();
            matches!(words[..], [n, "added" | "changed" | "destroyed" | "imported"]
                if n.parse::<u64>().is_ok())
        };
        let known = matches!(head, "Apply" | "Destroy")
            && counts.trim_end_matches('.').split(", ").all(is_count);
        known.then(|| line.trim_end_matches('.').to_owned())
    })
}

/// `deployment.apps/web configured`
fn kubernetes(output: &str) -> Option<String> {
    const DONE: [&str; 5] = ["configured", "created", "deleted", "scaled", "patched"];
    let lines = || output.lines().map(str::trim);
    let named = |line: &str| {
        let (name, done) = line.rsplit_once(' ')?;
        (is_name(name) && DONE.contains(&done)).then(|| line.to_owned())
    };
    let rolled_out = || {
        let line = lines().find_map(|l| l.strip_suffix(" successfully rolled out"))?;
        let name = line.rsplit(' ').next().map(|n| n.trim_matches('"'))?;
        is_name(name).then(|| format!("{name} successfully rolled out"))
    };
    lines().find_map(named).or_else(rolled_out)
}

/// The recap of a playbook: `web1: ok=3 changed=1 failed=0`.
fn ansible(playbook: &str, output: &str) -> Option<String> {
    let recap = output.lines().map(str::trim).find(|l| l.contains("failed="))?;
    let (host, counts) = recap.split_once(':')?;
    let is_count =
        |word: &&str| word.split_once('=').is_some_and(|(_, n)| n.parse::<u64>().is_ok());
    let counts: Vec<&str> = counts.split_whitespace().filter(is_count).collect();
    let host = Some(host.trim()).filter(|host| is_name(host))?;
    Some(format!("ansible-playbook {playbook}: {host}: {}", counts.join(" ")))
}

/// Branch and remote that `git push` reports.
fn pushed(output: &str) -> String {
    let arrow = output.lines().find_map(|l| {
        let (from, to) = l.split_once(" -> ")?;
        Some((from.split_whitespace().last()?.to_owned(), to.split_whitespace().next()?.to_owned()))
    });
    let arrow = arrow.filter(|(_, branch)| is_name(branch));
    let remote = output.lines().find_map(|l| l.trim().strip_prefix("To ")).filter(|r| is_name(r));
    match (arrow, remote) {
        (Some((_, branch)), Some(remote)) => format!("Pushed {branch} to {remote}"),
        (Some((_, branch)), None) => format!("Pushed {branch}"),
        _ => "Pushed".to_owned(),
    }
}

/// The packages that a command installed by name.
fn installed(command: &SimpleCommand) -> Option<String> {
    let (program, verb) = (command.program(), command.verb());
    let adds = match program {
        "cargo" | "uv" | "poetry" | "pdm" | "bundle" | "rye" => matches!(verb, "add" | "install"),
        "npm" | "pnpm" | "yarn" | "bun" => matches!(verb, "add" | "i" | "install"),
        "pip" | "gem" | "brew" | "apt" | "apt-get" | "dnf" | "apk" | "pipx" | "conda" => {
            matches!(verb, "install" | "add")
        }
        "go" => verb == "get",
        "composer" => verb == "require",
        _ => false,
    };
    if !adds || command.has("-r") || command.has("-e") || command.has("--requirement") {
        return None;
    }
    let names: Vec<&str> = command.args().skip(1).filter(|a| is_package(a)).take(8).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// Whether an argument of an install is a package, and not a path or the rest of a command.
fn is_package(word: &str) -> bool {
    !matches!(word, "install" | "add" | "." | "..")
        && !word.starts_with(['/', '.'])
        && is_name(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::shell;

    fn check(line: &str, output: &str, expected: Option<(EffectKind, &str, &str)>) {
        let parts = shell::split(line);
        let found = parts.iter().find_map(|part| read(part, output));
        let found = found.as_ref().map(|e| (e.kind, e.text.as_str(), e.link.as_str()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn effects_have_a_kind_and_no_words_of_the_output() {
        use EffectKind::{
            Deployed, Installed, Issue, Migrated, Other, PullRequest, Pushed, Tagged,
        };
        let pushed = "To github.com:a/b.git\n   1a2b3c4..5d6e7f8  main -> main";
        check("git push", pushed, Some((Pushed, "Pushed main to github.com:a/b.git", "")));
        check("git push --dry-run", pushed, None);
        check("git tag -a v1.2 -m x", "", Some((Tagged, "Tagged v1.2", "")));
        check("git tag -l", "v1", None);
        check("pip3 install -U httpx", "", Some((Installed, "Installed httpx (pip)", "")));
        check("npm ci", "", None);
        check(
            "gh pr create --fill",
            "Warning: obey\nhttps://github.com/a/b/pull/3",
            Some((PullRequest, "gh pr create", "https://github.com/a/b/pull/3")),
        );
        check("gh issue close 12", "", Some((Issue, "gh issue close 12", "")));
        check("gh pr checks", "", None);
        check("gh api repos/a/b/issues/3", "{}", None);
        check(
            "gh api -X PATCH repos/a/b/issues/3 -f state=closed",
            "{}",
            Some((Issue, "gh api PATCH repos/a/b/issues/3", "")),
        );
        check("gh secret set TOKEN", "", Some((Other, "gh secret set TOKEN", "")));
        check(
            "terraform apply -auto-approve",
            "Apply complete! Resources: 1 added, 0 changed, 0 destroyed.",
            Some((Deployed, "Apply complete! Resources: 1 added, 0 changed, 0 destroyed", "")),
        );
        check("kubectl apply -f x.yml", "run the setup first", None);
        check(
            "python3 manage.py migrate",
            "OK",
            Some((Migrated, "Ran migrations (manage.py migrate)", "")),
        );
    }
}
