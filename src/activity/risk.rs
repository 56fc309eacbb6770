//! Recognizes commands that destroy something or reach beyond this machine.

use super::shell::SimpleCommand;

/// Whether a mistake with this command is hard to undo.
pub fn is_risky(part: &SimpleCommand) -> bool {
    let verb = part.verb();
    let forces = part.has("--force") || part.has("-f") || part.has("--force-with-lease");
    match part.program() {
        "rm" => part.words.iter().any(|w| {
            matches!(w.as_str(), "--recursive" | "--force")
                || w.starts_with('-') && !w.starts_with("--") && w.contains(['r', 'R', 'f'])
        }),
        "git" => match verb {
            "push" => forces || part.has("--delete") || part.has("--mirror"),
            "reset" => part.has("--hard"),
            "clean" | "filter-branch" | "filter-repo" | "rebase" => true,
            "checkout" | "restore" => part.has(".") || forces,
            "branch" | "tag" => part.has("-D") || part.has("-d") || part.has("--delete"),
            "stash" => part.has("drop") || part.has("clear"),
            _ => false,
        },
        "dd" | "mkfs" | "shred" | "truncate" | "chown" | "chmod" | "dropdb" | "fdisk" => true,
        "docker" | "podman" | "docker-compose" => {
            ["prune", "rm", "rmi", "down", "kill"].iter().any(|word| part.has(word))
        }
        "kubectl" | "helm" | "oc" => {
            ["delete", "apply", "drain", "uninstall", "upgrade", "rollout", "scale"].contains(&verb)
        }
        "terraform" | "tofu" | "pulumi" | "cdk" | "cdktf" => {
            ["apply", "destroy", "up", "deploy", "import", "state"].contains(&verb)
        }
        "npm" | "pnpm" | "yarn" | "cargo" | "twine" | "gem" | "poetry" | "uv" => {
            ["publish", "unpublish", "yank", "upload", "push"].contains(&verb)
        }
        "gh" | "glab" => ["delete", "merge", "release"].iter().any(|word| part.has(word)),
        "systemctl" | "service" => {
            ["stop", "restart", "disable", "mask"].iter().any(|w| part.has(w))
        }
        "psql" | "mysql" | "sqlite3" | "mongosh" | "redis-cli" => {
            let text = part.words.join(" ").to_lowercase();
            ["drop ", "delete ", "truncate ", "flushall", "flushdb"]
                .iter()
                .any(|w| text.contains(w))
        }
        "alembic" => ["upgrade", "downgrade"].contains(&verb),
        "ansible-playbook" | "fly" | "flyctl" | "vercel" | "netlify" | "serverless" | "sls" => true,
        "aws" | "gcloud" | "az" => {
            part.args().any(|w| w.starts_with("delete") || w.starts_with("terminate") || w == "rm")
        }
        _ => ["migrate", "deploy", "rollback"].contains(&verb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::shell;

    #[test]
    fn risky_commands_are_recognized() {
        let risky = |line: &str| shell::split(line).iter().any(is_risky);
        for line in [
            "rm -rf build",
            "sudo rm -r /srv/x",
            "git push --force origin main",
            "git reset --hard HEAD~1",
            "docker compose down -v",
            "kubectl delete pod x",
            "terraform apply -auto-approve",
            "psql -c 'DROP TABLE users'",
            "npm publish",
            "python manage.py migrate && npm run deploy",
            "aws ec2 terminate-instances --instance-ids i-1",
        ] {
            assert!(risky(line), "{line}");
        }
        for line in
            ["rm a.txt", "git push", "git status", "docker ps", "npm ci", "psql -c 'select 1'"]
        {
            assert!(!risky(line), "{line}");
        }
    }
}
