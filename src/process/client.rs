//! Finds the client that runs this hook among the hook's ancestors.

use memctl_proto::event::Process;

use super::os;

/// Programs that run between a client and its hook: shells, wrappers and `hooks/run.sh`.
const BETWEEN: &[&str] = &[
    "ash", "bash", "busybox", "csh", "dash", "direnv", "env", "fish", "ionice", "ksh", "mksh",
    "nice", "nohup", "run.sh", "setsid", "sh", "stdbuf", "sudo", "tcsh", "time", "timeout", "zsh",
];

/// Maximum number of ancestors that are examined.
const MAX_DEPTH: usize = 32;

/// Returns the client process. The session ends when this process exits.
///
/// `client_pid_env` is the value of `CLAUDE_PID`. It counts only for Claude Code and only if it
/// names an ancestor: another client that runs in a terminal of Claude Code inherits it. Otherwise
/// the client is the nearest ancestor not listed in [`BETWEEN`]. Pid 1 is never a client.
pub fn client_process(client_pid_env: Option<i32>, client: &str) -> Option<Process> {
    let wanted = client_pid_env.filter(|_| client == "claude-code");
    find(nix::unistd::getppid().as_raw(), wanted, os::stat)
}

/// Walks up from `pid`. Usually reads one process, two if a shell is between.
fn find(
    mut pid: i32,
    wanted: Option<i32>,
    stat: impl Fn(i32) -> Option<super::Stat>,
) -> Option<Process> {
    let mut nearest = None;
    for _ in 0..MAX_DEPTH {
        if pid <= 1 {
            break;
        }
        let Some(stat_of_pid) = stat(pid) else { break };
        let process = (!stat_of_pid.exited).then_some(Process { pid, start: stat_of_pid.start });
        if wanted == Some(pid) {
            return process;
        }
        if nearest.is_none() && !BETWEEN.contains(&stat_of_pid.name.as_str()) {
            nearest = process;
        }
        if wanted.is_none() && nearest.is_some() {
            break;
        }
        pid = stat_of_pid.parent;
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Stat;

    /// `names` are the ancestors from the hook's parent upwards, with pids 10, 11, …; the last one is
    /// a child of pid 1.
    fn check(names: &[&str], wanted: Option<i32>, expected: Option<i32>) {
        let stat = |pid: i32| {
            let i = usize::try_from(pid - 10).ok()?;
            let parent = if i + 1 == names.len() { 1 } else { pid + 1 };
            let name = names.get(i)?.to_string();
            Some(Stat { name, parent, start: 1000 + pid as u64, exited: false })
        };
        let found = find(10, wanted, stat);
        assert_eq!(found.map(|p| p.pid), expected, "{names:?} {wanted:?}");
        assert!(found.is_none_or(|p| p.start == 1000 + p.pid as u64));
    }

    #[test]
    fn the_nearest_ancestor_that_is_not_a_shell_is_the_client() {
        check(&["claude", "bash", "sshd"], None, Some(10));
        check(&["run.sh", "sh", "node", "bash"], None, Some(12));
        check(&["bash", "zsh"], None, None);
        check(&[], None, None);
    }

    #[test]
    fn claude_pid_counts_only_if_it_is_an_ancestor() {
        check(&["sh", "node", "claude", "bash"], Some(12), Some(12));
        check(&["sh", "node", "bash"], Some(77), Some(11));
        check(&["codex", "bash", "claude"], None, Some(10));
        check(&["sh", "node"], Some(1), Some(11));
    }

    #[test]
    fn a_cycle_of_parents_ends() {
        let stat = |_| Some(Stat { name: "sh".into(), parent: 10, start: 0, exited: false });
        assert_eq!(find(10, Some(99), stat), None);
    }

    #[test]
    fn claude_pid_counts_only_for_claude_code() {
        let own_parent = nix::unistd::getppid().as_raw();
        let grandparent = os::stat(own_parent).map(|s| s.parent).filter(|p| *p > 1);
        let Some(grandparent) = grandparent else { return };
        let found = client_process(Some(grandparent), "claude-code").unwrap();
        assert_eq!(found.pid, grandparent);
        let other = client_process(Some(grandparent), "codex");
        assert_eq!(other, client_process(None, "codex"));
    }
}
