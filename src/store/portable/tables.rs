//! The tables that are exported, and what each of their columns is.

/// What a column holds, and how it looks in JSON.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    Number,
    Real,
    Flag,
    /// A text that is JSON, and is written as it is.
    Json,
    /// A row id. In JSON the first key of the project.
    Project,
    /// A row id. In JSON the uuid of the session.
    Session,
}

#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub key: &'static str,
    pub column: &'static str,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The `type` of its rows.
    pub kind: &'static str,
    pub name: &'static str,
    /// The column that orders the rows, before the uuid.
    pub time: &'static str,
    pub columns: &'static [Column],
}

macro_rules! columns {
    ($($kind:ident $key:literal $column:literal),* $(,)?) => {
        &[$(Column { key: $key, column: $column, kind: Kind::$kind }),*]
    };
}

/// Parents come before their children.
pub const TABLES: [Table; 4] = [
    Table {
        kind: "session",
        name: "sessions",
        time: "started_at_epoch",
        columns: columns![
            Text "uuid" "uuid",
            Text "client" "client",
            Text "session" "content_session_id",
            Session "parent" "parent_session_id",
            Project "project" "project_id",
            Text "root" "root",
            Text "cwd" "cwd",
            Text "status" "status",
            Text "end_reason" "end_reason",
            Number "prompts" "prompt_counter",
            Text "backend" "backend",
            Number "context_epoch" "context_epoch",
            Number "started_at_epoch" "started_at_epoch",
            Number "last_event_epoch" "last_event_epoch",
            Number "completed_at_epoch" "completed_at_epoch",
        ],
    },
    Table {
        kind: "prompt",
        name: "user_prompts",
        time: "created_at_epoch",
        columns: columns![
            Text "uuid" "uuid",
            Text "event_id" "event_id",
            Session "session" "session_id",
            Text "turn" "turn_id",
            Number "number" "prompt_number",
            Text "text" "prompt_text",
            Flag "private" "private",
            Number "created_at_epoch" "created_at_epoch",
            Number "finalized_at_epoch" "finalized_at_epoch",
            Text "finalized_by" "finalized_by",
        ],
    },
    Table {
        kind: "observation",
        name: "observations",
        time: "created_at_epoch",
        columns: columns![
            Text "uuid" "uuid",
            Text "external_id" "external_id",
            Session "session" "session_id",
            Project "project" "project_id",
            Text "scope" "scope",
            Text "origin" "origin",
            Number "prompt" "prompt_number",
            Text "agent_id" "agent_id",
            Text "agent_type" "agent_type",
            Text "kind" "type",
            Text "title" "title",
            Text "subtitle" "subtitle",
            Text "narrative" "narrative",
            Json "facts" "facts",
            Json "concepts" "concepts",
            Json "files_read" "files_read",
            Json "files_modified" "files_modified",
            Json "names" "names",
            Json "metadata" "metadata",
            Text "backend" "backend",
            Text "content_hash" "content_hash",
            Number "tokens" "tokens",
            Flag "pinned" "pinned",
            Flag "hidden" "hidden",
            Text "feedback" "feedback",
            Real "weight" "weight",
            Flag "quarantined" "quarantined",
            Text "superseded_by" "superseded_by",
            Text "branch" "branch",
            Text "head" "head",
            Number "expires_at_epoch" "expires_at_epoch",
            Number "created_at_epoch" "created_at_epoch",
            Number "changed_at_epoch" "changed_at_epoch",
        ],
    },
    Table {
        kind: "summary",
        name: "session_summaries",
        time: "created_at_epoch",
        columns: columns![
            Text "uuid" "uuid",
            Text "external_id" "external_id",
            Session "session" "session_id",
            Project "project" "project_id",
            Number "prompt" "prompt_number",
            Text "turn_id" "turn_id",
            Text "title" "title",
            Text "sender" "sender",
            Text "request" "request",
            Text "investigated" "investigated",
            Text "learned" "learned",
            Text "completed" "completed",
            Text "next_steps" "next_steps",
            Text "notes" "notes",
            Json "files_read" "files_read",
            Json "files_modified" "files_modified",
            Number "tool_uses" "tool_uses",
            Json "turn" "turn",
            Text "backend" "backend",
            Flag "provisional" "provisional",
            Flag "hidden" "hidden",
            Number "created_at_epoch" "created_at_epoch",
            Number "changed_at_epoch" "changed_at_epoch",
        ],
    },
];

impl Table {
    pub fn of_kind(kind: &str) -> Option<&'static Table> {
        TABLES.iter().find(|table| table.kind == kind)
    }

    /// The column of a session or project of its own.
    pub fn project_column(&self) -> &'static str {
        match self.name {
            "user_prompts" => "(SELECT s.project_id FROM sessions s WHERE s.id = session_id)",
            _ => "project_id",
        }
    }
}
