//! One interface for all models: takes a prompt, returns an answer and its usage.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::answer::Answer;
use super::error::AgentError;
use super::form::Form;
use super::history::History;
use super::http::{Call, Client};
use super::lessons::{Lessons, Parameter, Served};
use super::{Backend, anthropic, claude, gemini, openai, slots};
use crate::clock;
use crate::config::secrets::{self, Secret};
use crate::config::{self, Http, Settings, StartedBy};
use crate::lock::LockGuard;
use crate::memory::{CallOutcome, Usage};

/// Tokens that the program adds to each call.
const PROGRAM_TOKENS: u64 = 490;

/// Maximum calls in one conversation with a program. Each call sends the earlier ones again.
const MAX_CALLS: usize = 6;

/// A backend that is a model, with its state between two calls.
pub struct Model {
    pub backend: Backend,
    settings: Arc<Settings>,
    /// Built on first use.
    client: Option<Client>,
    /// The running program, if the backend is one.
    program: Option<claude::Conversation>,
    /// Held while the program runs.
    slot: Option<LockGuard>,
    /// The id of the conversation. Generated for a stateless API.
    memory_session: String,
    /// The first model that the server lists, if the settings name none.
    listed_model: Option<String>,
    /// The form of the next request.
    lessons: Lessons,
    /// Tokens of the conversation with a program so far, which each call sends again.
    conversation: u64,
    /// What happened to earlier batches.
    pub history: History,
}

impl Model {
    /// `session`: a name of the session, for the generated conversation id.
    pub fn new(backend: Backend, settings: Arc<Settings>, session: &str) -> Model {
        let memory_session = format!("{}-{session}-{}", backend.name(), clock::now_ms());
        Model {
            backend,
            settings,
            client: None,
            program: None,
            slot: None,
            memory_session,
            listed_model: None,
            lessons: Lessons::default(),
            conversation: 0,
            history: History::default(),
        }
    }

    /// The id of the conversation that gets the next prompt.
    pub fn memory_session(&self) -> &str {
        &self.memory_session
    }

    /// The model's name; empty until it is known.
    pub fn name(&self) -> &str {
        let agent = &self.settings.config.agent;
        match self.http() {
            Some(http) if http.model.is_empty() => self.listed_model.as_deref().unwrap_or(""),
            Some(http) => &http.model,
            None => &agent.claude.model,
        }
    }

    /// Maximum tokens of an answer by the settings.
    pub fn configured_answer_tokens(&self) -> u64 {
        self.http().map_or(4096, |http| http.max_tokens as u64)
    }

    /// The model, as lessons are recorded.
    pub fn served(&self) -> Served {
        let address = match self.http() {
            Some(http) => http.base_url.clone(),
            None => self.settings.config.agent.claude.command.clone(),
        };
        Served { backend: self.backend.name(), model: self.name().to_owned(), address }
    }

    /// Sends the next requests in the form that was learnt.
    pub fn use_lessons(&mut self, lessons: &Lessons) {
        self.lessons = lessons.clone();
    }

    /// The form of the next answer. The program takes no schema.
    pub fn form(&self) -> Form {
        match self.http() {
            Some(_) if !self.lessons.omits(Parameter::Schema) => Form::Json,
            _ => Form::Elements,
        }
    }

    /// Estimates the usage of a call with the prompt `text`, at four bytes per token.
    pub fn estimate(&self, text: &str) -> Usage {
        let own = if self.http().is_some() { 0 } else { PROGRAM_TOKENS + self.conversation };
        let input = own + (self.form().fixed_bytes() + text.len()).div_ceil(4) as u64;
        let output = self.lessons.answer_limit(self.configured_answer_tokens());
        Usage { input, output, ..Usage::default() }
    }

    /// A hash of the settings that decide whether the backend works. A recorded refusal is valid until
    /// the hash changes.
    pub fn config_fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        match self.http() {
            Some(http) => {
                add(http.base_url.as_bytes());
                add(http.model.as_bytes());
                add(http.proxy.as_deref().unwrap_or_default().as_bytes());
                add(http.fault.as_deref().unwrap_or_default().as_bytes());
                let key = self.key().ok().flatten();
                add(key.as_ref().map_or("", Secret::expose).as_bytes());
            }
            None => {
                let claude = &self.settings.config.agent.claude;
                add(claude.command.as_bytes());
                add(claude.model.as_bytes());
                add(claude.fault.as_deref().unwrap_or_default().as_bytes());
                for (name, value) in config::claude_env(&self.settings, None) {
                    add(name.as_encoded_bytes());
                    add(value.as_encoded_bytes());
                }
                // A login modifies the file.
                let login = config::claude_credentials(&self.settings)
                    .and_then(|file| fs::metadata(file).ok());
                add(format!("{:?}", login.and_then(|meta| meta.modified().ok())).as_bytes());
            }
        }
        HEXLOWER.encode(&hash.finalize()[..16])
    }

    fn http(&self) -> Option<&Http> {
        self.settings.config.agent.http(self.backend.name())
    }

    fn key(&self) -> Result<Option<Secret>, AgentError> {
        let names = self.settings.config.agent.key_names(self.backend.name());
        let found = secrets::api_key(&self.settings, &config::process_env, names);
        match found.map_err(AgentError::Setup)? {
            Some((key, _)) => Ok(Some(key)),
            None => match names.first() {
                None => Ok(None),
                // The session's own worker may have one.
                Some(_) if self.settings.started_by == StartedBy::Recovery => {
                    Err(AgentError::NotHere("the API key is known to the session only".into()))
                }
                Some(name) => Err(AgentError::Setup(format!(
                    "no API key is set; run: memctl config secret set {name}"
                ))),
            },
        }
    }

    /// Prepares a call: waits for a slot, or builds the HTTP client. Does not start the program. If the
    /// server has to list its models, that may take at most `limit`.
    pub async fn prepare(&mut self, limit: Duration) -> Result<(), AgentError> {
        let agent = &self.settings.config.agent;
        let fault = self.http().map_or(&agent.claude.fault, |http| &http.fault);
        if let Some(fault) = fault {
            return Err(AgentError::Setup(fault.clone()));
        }
        let Some(http) = self.http().cloned() else {
            let is_recovery = self.settings.started_by == StartedBy::Recovery;
            if is_recovery && self.settings.recorded_account.is_none() {
                let why = "the account of the session is not known before its next event";
                return Err(AgentError::NotHere(why.into()));
            }
            if self.program.as_ref().is_some_and(|program| program.calls() >= MAX_CALLS) {
                self.end_conversation().await;
            }
            if self.slot.is_none() {
                let slots = self.settings.config.agent.max_children;
                let slot = slots::take(&self.settings.paths, slots).await;
                let no_slot = |e| AgentError::Unreachable(format!("no slot for a program: {e}"));
                self.slot = Some(slot.map_err(no_slot)?);
            }
            if self.program.is_none() {
                self.memory_session = claude::new_id();
            }
            return Ok(());
        };
        let key = self.key()?;
        if self.client.is_none() {
            // A local model may need most of the time to its first token. The caller limits the whole
            // call.
            let read_timeout = self.settings.config.agent.turn_timeout + Duration::from_secs(1);
            self.client = Some(Client::new(http.proxy.clone(), read_timeout).await?);
        }
        if http.model.is_empty() && self.listed_model.is_none() {
            let client = self.client.as_ref().expect("built");
            let listed = timeout(limit, openai::first_model(client, &http, key)).await;
            self.listed_model = Some(listed.map_err(|_| AgentError::TimedOut(limit))??);
        }
        Ok(())
    }

    /// Sends the prompt `text` and waits for the answer. `project` is a directory of the session. The
    /// caller must call [`Model::reset`] after an error.
    pub async fn ask(
        &mut self,
        text: &str,
        project: Option<&Path>,
    ) -> (Result<Answer, AgentError>, CallOutcome) {
        match self.http().cloned() {
            Some(http) => self.ask_api(&http, text).await,
            None => self.ask_program(text, project).await,
        }
    }

    async fn ask_program(
        &mut self,
        text: &str,
        project: Option<&Path>,
    ) -> (Result<Answer, AgentError>, CallOutcome) {
        if self.program.is_none() {
            match claude::Conversation::start(&self.settings, project, &self.memory_session) {
                Ok(program) => self.program = Some(program),
                Err(e) => return (Err(e), CallOutcome::nothing()),
            }
        }
        let estimate = self.estimate(text);
        let (result, mut spent) = self.program.as_mut().expect("started").ask(text).await;
        if let CallOutcome::Complete(used) = spent
            && (!used.is_plausible(&estimate) || result.is_ok() && used.input == 0)
        {
            spent = CallOutcome::Unknown;
        }
        if let CallOutcome::Complete(used) = spent {
            // The next call sends this one again. Reported usage may be of the last part only.
            let sent = (text.len() / 4) as u64 + used.output;
            self.conversation = (self.conversation + sent).max(used.input + used.output);
        }
        (result, spent)
    }

    async fn ask_api(
        &mut self,
        http: &Http,
        text: &str,
    ) -> (Result<Answer, AgentError>, CallOutcome) {
        let (Some(client), Ok(key)) = (&self.client, self.key()) else {
            return (Err(AgentError::Setup("no API key is set".into())), CallOutcome::nothing());
        };
        let system = self.form().system_prompt();
        let (call, add_part): (Call, fn(&mut Answer, &serde_json::Value) -> _) = match self.backend
        {
            Backend::Gemini => {
                (gemini::call(http, key, &self.lessons, system, text), gemini::add_part)
            }
            Backend::Openai => (
                openai::call(http, key, self.name(), &self.lessons, system, text),
                openai::add_part,
            ),
            Backend::Anthropic | Backend::Claude | Backend::Extractive => {
                (anthropic::call(http, key, &self.lessons, system, text), anthropic::add_part)
            }
        };
        let estimate = self.estimate(text);
        let mut answer = Answer::default();
        let result = client.post(call, |part| add_part(&mut answer, part)).await;
        let used = answer.usage;
        let is_plausible = used.is_plausible(&estimate)
            && used.input > 0
            && (used.output > 0 || answer.text.is_empty());
        if !is_plausible {
            answer.usage = Usage::default();
        }
        let used = answer.usage;
        let partial = is_plausible || !answer.text.is_empty();
        match result {
            Ok(()) if answer.finished && is_plausible => (Ok(answer), CallOutcome::Complete(used)),
            // The server reported no usage that can be true, so the estimate counts.
            Ok(()) if answer.finished => (Ok(answer), CallOutcome::Unknown),
            Ok(()) => {
                (Err(AgentError::Lost("the answer ended early".into())), CallOutcome::Partial(used))
            }
            Err(e) if partial => (Err(e), CallOutcome::Partial(used)),
            // The server may charge for an answer that cannot be read.
            Err(e @ (AgentError::Lost(_) | AgentError::UnusableAnswer(_))) => {
                (Err(e), CallOutcome::Unknown)
            }
            Err(e) => (Err(e), CallOutcome::nothing()),
        }
    }

    /// Kills the program. The next call begins a new conversation.
    pub fn reset(&mut self) {
        self.program = None;
        self.slot = None;
        self.conversation = 0;
    }

    /// Lets the program exit, or kills it after a timeout. The next call begins a new conversation.
    pub async fn end_conversation(&mut self) {
        if let Some(program) = self.program.take() {
            program.end().await;
        }
        self.slot = None;
        self.conversation = 0;
    }

    /// Whether a program is running, kept for the next call.
    pub fn has_running_program(&self) -> bool {
        self.program.is_some()
    }
}
