//! Side effects of commands: packages installed, branches pushed, things deployed or published.

use super::shell::Simple;
use super::shorten::fit;

/// What a command that succeeded changed beyond the work tree, as a sentence.
pub fn of(part: &Simple, output: &str) -> Option<String> {
    let (program, verb) = (part.program(), part.verb());
    if let Some(names) = installed(part) {
        return Some(format!(
            "Installed {names} ({})",
            if program == "pip3" { "pip" } else { program }
        ));
    }
    let line = |wanted: &[&str]| {
        output
            .lines()
            .map(str::trim)
            .find(|l| wanted.iter().any(|w| l.contains(w)))
            .map(|l| fit(l, 140))
    };
    match (program, verb) {
        ("git", "push") if !part.has("--dry-run") => Some(pushed(output)),
        ("git", "tag") => {
            let name = part.args().nth(1)?;
            (!part.has("-l") && !part.has("-d") && !part.has("--list"))
                .then(|| format!("Tagged {name}"))
        }
        ("gh", "pr" | "issue" | "release") => {
            let what = part.args().nth(1)?;
            if !matches!(what, "create" | "merge" | "close" | "comment" | "edit" | "reopen") {
                return None;
            }
            let link = output.split_whitespace().find(|w| w.starts_with("https://")).unwrap_or("");
            Some(format!("gh {verb} {what} {link}").trim().to_owned())
        }
        ("terraform" | "tofu", "apply" | "destroy") => {
            line(&["Apply complete!", "Destroy complete!"])
        }
        ("kubectl" | "oc", "apply" | "create" | "delete" | "rollout" | "scale" | "patch") => {
            line(&[
                " configured",
                " created",
                " deleted",
                "successfully rolled out",
                " scaled",
                " patched",
            ])
        }
        ("helm", "install" | "upgrade") => line(&["STATUS: "])
            .map(|s| format!("helm {verb} {}: {s}", part.args().nth(1).unwrap_or(""))),
        ("docker" | "podman", "build" | "buildx") => {
            let tag = part.option("-t").or_else(|| part.option("--tag"))?;
            Some(format!("Built image {tag}"))
        }
        ("docker" | "podman", "push") => Some(format!("Pushed image {}", part.args().nth(1)?)),
        ("npm" | "pnpm" | "yarn" | "cargo", "publish") if !part.has("--dry-run") => {
            Some(format!("Published with {program}"))
        }
        ("ansible-playbook", _) => {
            line(&["failed="]).map(|recap| format!("ansible-playbook {verb}: {recap}"))
        }
        ("alembic", "upgrade" | "downgrade")
        | ("rails" | "rake", "db:migrate")
        | ("mix", "ecto.migrate")
        | ("manage.py", "migrate") => Some(format!("Ran migrations ({program} {verb})")),
        ("bd", "close") => line(&["Closed "]).map(|l| {
            let said = l.trim_start_matches(|c: char| !c.is_alphanumeric());
            said.trim_end_matches(": Closed").to_owned()
        }),
        _ => None,
    }
}

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

/// The packages a command added by name.
fn installed(part: &Simple) -> Option<String> {
    let (program, verb) = (part.program(), part.verb());
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
    if !adds || part.has("-r") || part.has("-e") || part.has("--requirement") {
        return None;
    }
    let names: Vec<&str> =
        part.args().skip(1).filter(|a| !matches!(*a, "install" | ".")).take(8).collect();
    (!names.is_empty()).then(|| names.join(", "))
}
