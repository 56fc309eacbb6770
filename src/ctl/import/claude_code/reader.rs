//! Reads one transcript, and sends its events in groups that end with a turn.

use std::collections::HashSet;
use std::path::Path;
use std::sync::mpsc::SyncSender;

use memctl_proto::{Event, Kind};
use uuid::Uuid;

use super::files::Transcript;
use super::recorder::{BATCH_BYTES, BATCH_EVENTS, Item};
use crate::config::Settings;
use crate::ctl::transcript::claude_code::Left;
use crate::ctl::transcript::{Capturer, SessionReader, Step};
use crate::failure::{Context, Result};
use crate::paths::session_key;
use crate::store::imports::Imported;

/// A group that ends with a turn has at least this many events or bytes of text, so that there are fewer
/// commits.
const GROUP_EVENTS: usize = 16;
const GROUP_BYTES: usize = 64 << 10;

/// What was read of one transcript.
#[derive(Clone, Copy, Debug, Default)]
pub struct Read {
    pub events: u64,
    /// Events that are not recorded, such as those of tools that only read a list.
    pub not_recorded: u64,
    /// Events of a copied conversation that another transcript has.
    pub shared: u64,
    pub damaged_lines: u64,
    /// Subagents whose transcripts were read.
    pub agents: u64,
    pub unreadable: u64,
    pub left: Left,
}

/// Collects events for the recorder.
pub struct Groups {
    sender: SyncSender<Vec<Item>>,
    items: Vec<Item>,
    bytes: usize,
}

/// The recorder has stopped because of an error.
pub struct Stopped;

impl Groups {
    pub fn new(sender: SyncSender<Vec<Item>>) -> Groups {
        Groups { sender, items: Vec::new(), bytes: 0 }
    }

    fn push(&mut self, event: Event) -> std::result::Result<(), Stopped> {
        let ends_turn = matches!(event.kind, Kind::Stop | Kind::StopFailed | Kind::End);
        self.bytes += event.text_len();
        self.items.push(Item::Event(Box::new(event)));
        let (n, bytes) = (self.items.len(), self.bytes);
        let is_full = n >= BATCH_EVENTS || bytes >= BATCH_BYTES;
        if is_full || ends_turn && (n >= GROUP_EVENTS || bytes >= GROUP_BYTES) {
            return self.send();
        }
        Ok(())
    }

    /// Sends what was collected.
    pub fn send(&mut self) -> std::result::Result<(), Stopped> {
        self.bytes = 0;
        match std::mem::take(&mut self.items) {
            items if items.is_empty() => Ok(()),
            items => self.sender.send(items).map_err(|_| Stopped),
        }
    }
}

/// Reads transcripts and sends their events.
pub struct Reader<'a> {
    pub settings: &'a Settings,
    pub client: &'a str,
    pub groups: Groups,
    /// Ids of the events of transcripts that begin with the same conversation as others.
    pub seen: HashSet<Uuid>,
}

impl Reader<'_> {
    /// Sends the events of a transcript, except those up to the time `after`. `on_bytes` learns how many
    /// bytes were read so far.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(
        &mut self,
        transcript: &Transcript,
        after: Option<i64>,
        mut on_bytes: impl FnMut(u64),
    ) -> Result<std::result::Result<Read, Stopped>> {
        let path = &transcript.path;
        let agents = transcript.agents.clone();
        let mut session = SessionReader::open(path, agents).context(path.display())?;
        let mut read = Read::default();
        let key = session_key(self.client, &transcript.session);
        let capturer = Capturer { settings: self.settings, client: self.client, key };
        let mut through = after.unwrap_or_default();
        while let Some(step) = session.next().context(path.display())? {
            through = through.max(step.at);
            let dir = session.converter().dir();
            if self.send(&capturer, transcript, &step, dir, after, &mut read).is_err() {
                return Ok(Err(Stopped));
            }
            on_bytes(session.counts().bytes);
        }
        let counts = session.counts();
        on_bytes(counts.bytes);
        read.damaged_lines = counts.damaged_lines;
        read.agents = counts.agents;
        read.unreadable = counts.unreadable_agents;
        read.left = session.left();
        self.groups.items.push(Item::Done {
            client: self.client.to_owned(),
            session: transcript.session.clone(),
            imported: Imported { bytes: counts.bytes, through_epoch: through },
        });
        Ok(Ok(read))
    }

    fn send(
        &mut self,
        capturer: &Capturer,
        transcript: &Transcript,
        step: &Step,
        dir: Option<&Path>,
        after: Option<i64>,
        read: &mut Read,
    ) -> std::result::Result<(), Stopped> {
        if transcript.has_copies && !self.seen.insert(step.id) {
            read.shared += 1;
            return Ok(());
        }
        if after.is_some_and(|after| step.at <= after) && step.event != "SessionEnd" {
            return Ok(());
        }
        // An event that cannot be captured is none that a hook could deliver.
        let Ok(Some(event)) = capturer.event(step, dir) else {
            read.not_recorded += 1;
            return Ok(());
        };
        read.events += 1;
        self.groups.push(event)
    }

    /// Remembers the events of a transcript that is not imported, because copies of it may be.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn remember(&mut self, transcript: &Transcript) -> Result<()> {
        let path = &transcript.path;
        let mut session = SessionReader::open(path, Vec::new()).context(path.display())?;
        while let Some(step) = session.next().context(path.display())? {
            self.seen.insert(step.id);
        }
        Ok(())
    }
}
