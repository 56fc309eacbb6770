//! Side effects of commands: installs, pushes, deployments, releases.

use super::shell::SimpleCommand;
use super::shorten::fit;

/// What a successful command changed beyond the work tree, as a sentence.
pub fn side_effect(command: &SimpleCommand, output: &str) -> Option<String> {
    let (program, verb) = (command.program(), command.verb());
    if let Some(names) = installed(command) {
        return Some(format!(
            "Installed {names} ({})",
            if program == "pip3" { "pip" } else { program }
        ));
    }
    let line_with = |phrases: &[&str]| {
        output
            .lines()
            .map(str::trim)
            .find(|l| phrases.iter().any(|p| l.contains(p)))
            .map(|l| fit(l, 140))
    };
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
            let link = output.split_whitespace().find(|w| w.starts_with("https://")).unwrap_or("");
            Some(format!("gh {verb} {what} {link}").trim().to_owned())
        }
        ("terraform" | "tofu", "apply" | "destroy") => {
            line_with(&["Apply complete!", "Destroy complete!"])
        }
        ("kubectl" | "oc", "apply" | "create" | "delete" | "rollout" | "scale" | "patch") => {
            line_with(&[
                " configured",
                " created",
                " deleted",
                "successfully rolled out",
                " scaled",
                " patched",
            ])
        }
        ("helm", "install" | "upgrade") => line_with(&["STATUS: "])
            .map(|s| format!("helm {verb} {}: {s}", command.args().nth(1).unwrap_or(""))),
        ("docker" | "podman", "build" | "buildx") => {
            let tag = command.option("-t").or_else(|| command.option("--tag"))?;
            Some(format!("Built image {tag}"))
        }
        ("docker" | "podman", "push") => Some(format!("Pushed image {}", command.args().nth(1)?)),
        ("npm" | "pnpm" | "yarn" | "cargo", "publish") if !command.has("--dry-run") => {
            Some(format!("Published with {program}"))
        }
        ("ansible-playbook", _) => {
            line_with(&["failed="]).map(|recap| format!("ansible-playbook {verb}: {recap}"))
        }
        ("alembic", "upgrade" | "downgrade")
        | ("rails" | "rake", "db:migrate")
        | ("mix", "ecto.migrate")
        | ("manage.py", "migrate") => Some(format!("Ran migrations ({program} {verb})")),
        ("bd", "close") => line_with(&["Closed "]).map(|l| {
            let line = l.trim_start_matches(|c: char| !c.is_alphanumeric());
            line.trim_end_matches(": Closed").to_owned()
        }),
        _ => None,
    }
}

/// Branch and remote that `git push` reports.
fn pushed(output: &str) -> String {
    let arrow = output.lines().find_map(|l| {
        let (from, to) = l.split_once(" -> ")?;
        Some((from.split_whitespace().last()?.to_owned(), to.split_whitespace().next()?.to_owned()))
    });
    let remote = output.lines().find_map(|l| l.trim().strip_prefix("To "));
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
