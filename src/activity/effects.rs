//! Side effects of commands: installs, pushes, deployments, releases.

use super::shell::SimpleCommand;
use crate::text::is_name;

/// What a successful command changed beyond the work tree, as a sentence.
pub fn side_effect(command: &SimpleCommand, output: &str) -> Option<String> {
    let (program, verb) = (command.program(), command.verb());
    if let Some(names) = installed(command) {
        return Some(format!(
            "Installed {names} ({})",
            if program == "pip3" { "pip" } else { program }
        ));
    }
    // Only names and counts of the output: its other words are third-party text.
    let lines = || output.lines().map(str::trim);
    match (program, verb) {
        ("git", "push") if !command.has("--dry-run") => Some(pushed(output)),
        ("git", "tag") => {
            let name = command.args().nth(1)?;
            (!command.has("-l") && !command.has("-d") && !command.has("--list"))
                .then(|| format!("Tagged {name}"))
        }
        ("gh", "pr" | "issue" | "release") => {
            let what = command.args().nth(1)?;
            if !matches!(what, "create" | "merge" | "close" | "comment" | "edit" | "reopen") {
                return None;
            }
            let is_link = |w: &&str| w.starts_with("https://") && is_name(w);
            let link = output.split_whitespace().find(is_link).unwrap_or("");
            Some(format!("gh {verb} {what} {link}").trim().to_owned())
        }
        ("terraform" | "tofu", "apply" | "destroy") => lines().find_map(|line| {
            let (head, counts) = line.split_once(" complete! Resources: ")?;
            let is_count = |part: &str| {
                let words: Vec<&str> = part.split(' ').collect();
                matches!(words[..], [n, "added" | "changed" | "destroyed" | "imported"]
                    if n.parse::<u64>().is_ok())
            };
            let known = matches!(head, "Apply" | "Destroy")
                && counts.trim_end_matches('.').split(", ").all(is_count);
            known.then(|| line.to_owned())
        }),
        ("kubectl" | "oc", "apply" | "create" | "delete" | "rollout" | "scale" | "patch") => {
            const DONE: [&str; 5] = ["configured", "created", "deleted", "scaled", "patched"];
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
        ("helm", "install" | "upgrade") => {
            let status = lines().find_map(|l| l.strip_prefix("STATUS: ")).filter(|s| is_name(s))?;
            let release = command.args().nth(1).unwrap_or("");
            Some(format!("helm {verb} {release}: STATUS: {status}"))
        }
        ("docker" | "podman", "build" | "buildx") => {
            let tag = command.option("-t").or_else(|| command.option("--tag"))?;
            Some(format!("Built image {tag}"))
        }
        ("docker" | "podman", "push") => Some(format!("Pushed image {}", command.args().nth(1)?)),
        ("npm" | "pnpm" | "yarn" | "cargo", "publish") if !command.has("--dry-run") => {
            Some(format!("Published with {program}"))
        }
        ("ansible-playbook", _) => {
            let recap = lines().find(|l| l.contains("failed="))?;
            let (host, counts) = recap.split_once(':')?;
            let is_count =
                |word: &&str| word.split_once('=').is_some_and(|(_, n)| n.parse::<u64>().is_ok());
            let counts: Vec<&str> = counts.split_whitespace().filter(is_count).collect();
            let host = Some(host.trim()).filter(|host| is_name(host))?;
            Some(format!("ansible-playbook {verb}: {host}: {}", counts.join(" ")))
        }
        ("alembic", "upgrade" | "downgrade")
        | ("rails" | "rake", "db:migrate")
        | ("mix", "ecto.migrate")
        | ("manage.py", "migrate") => Some(format!("Ran migrations ({program} {verb})")),
        ("bd", "close") => {
            lines().find(|l| l.contains("Closed "))?;
            Some(format!("Closed {}", command.args().nth(1)?))
        }
        _ => None,
    }
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
        "pip" | "pip3" | "gem" | "brew" | "apt" | "apt-get" | "dnf" | "apk" | "pipx" | "conda" => {
            matches!(verb, "install" | "add")
        }
        "go" => verb == "get",
        "composer" => verb == "require",
        _ => false,
    };
    if !adds || command.has("-r") || command.has("-e") || command.has("--requirement") {
        return None;
    }
    let names: Vec<&str> =
        command.args().skip(1).filter(|a| !matches!(*a, "install" | ".")).take(8).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
