//! Where the work of a session is, seen from the branch that is checked out.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

use super::stored_turn::StoredTurn;
use crate::git::{History, Repository};
use crate::memory::Head;

/// Where work is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// On this branch, merged into it, or unknown.
    #[default]
    Here,
    /// On another branch.
    Elsewhere,
    /// On a branch that this clone does not have: deleted, or of another clone. It was not merged as far as
    /// the repository tells.
    Gone,
}

/// The work tree's repository. Its history is read when the first row of another branch asks for it.
#[derive(Default)]
pub struct Branches<'a> {
    repository: Option<&'a Repository>,
    branch: Option<String>,
    history: OnceCell<Option<History>>,
    /// Places by branch, commit and whether the work is committed: many rows have the same.
    known: RefCell<BTreeMap<(String, String, bool), Place>>,
}

impl<'a> Branches<'a> {
    pub fn new(repository: Option<&'a Repository>) -> Branches<'a> {
        let branch = repository.and_then(Repository::branch);
        Branches { repository, branch, ..Branches::default() }
    }

    /// The branch that is checked out.
    pub fn name(&self) -> Option<&str> {
        self.branch.as_deref()
    }

    /// Whether the branch is one for a topic. `store::observations` lists the sessions of such branches.
    pub fn is_topic(&self) -> bool {
        self.name().is_some_and(|name| !matches!(name, "main" | "master"))
    }

    /// Where the work of these turns is, oldest first.
    pub fn place_of(&self, turns: &[StoredTurn]) -> Place {
        let head = turns.iter().rev().find_map(|stored| stored.turn.head.as_ref());
        let ended_at = turns.iter().map(|stored| stored.created_at_epoch).max();
        let worked = turns.iter().rev().map(|stored| &stored.turn.evidence).find(|evidence| {
            !evidence.commits.is_empty() || evidence.files.iter().any(|file| !file.scratch)
        });
        let is_committed = worked.is_none_or(|evidence| !evidence.commits.is_empty());
        self.place_of_work(head, ended_at.unwrap_or_default(), is_committed)
    }

    /// Where work is that ended at `at_epoch`, in milliseconds, with this HEAD.
    pub fn place(&self, head: Option<&Head>, at_epoch: i64) -> Place {
        self.place_of_work(head, at_epoch, true)
    }

    fn place_of_work(&self, head: Option<&Head>, at_epoch: i64, is_committed: bool) -> Place {
        let (Some(head), Some(repository)) = (head, self.repository) else { return Place::Here };
        if head.branch.is_empty() || Some(&head.branch) == self.branch.as_ref() {
            return Place::Here;
        }
        let key = (head.branch.clone(), head.commit.clone(), is_committed);
        if let Some(place) = self.known.borrow().get(&key) {
            return *place;
        }
        let place = self.find(repository, head, at_epoch, is_committed);
        self.known.borrow_mut().insert(key, place);
        place
    }

    fn find(
        &self,
        repository: &Repository,
        head: &Head,
        at_epoch: i64,
        is_committed: bool,
    ) -> Place {
        let history = self.history.get_or_init(|| repository.history());
        let Some(history) = history else { return Place::Here };
        // Without a commit of its own, the work is in the work tree or a stash, while HEAD is a commit that other
        // branches have, too. It may be in a later commit of its branch.
        let tip = match is_committed {
            true => None,
            false => history.tip(&head.branch),
        };
        let is_merged = match &tip {
            Some(tip) if *tip == head.commit => Some(false),
            Some(tip) => history.contains(tip),
            None => history.contains(&head.commit),
        };
        if is_merged == Some(true) || history.has_merged(&head.branch, at_epoch / 1000) {
            return Place::Here;
        }
        if history.has_branch(&head.branch) {
            return Place::Elsewhere;
        }
        // A forge deletes the branch that it merges, and a pull brings the merge.
        let may_be_merged = is_merged.is_none() && history.has_pulled(at_epoch / 1000);
        if may_be_merged { Place::Here } else { Place::Gone }
    }
}
