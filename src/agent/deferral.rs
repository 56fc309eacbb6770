//! What a deferred batch waits for: a backend with its settings, or a budget. If these change, the batch
//! need not wait any longer.
//!
//! The text that the store keeps has a name and two hashes: `NAME SETTINGS KEY`. The settings include
//! those of the backends that are tried before. Workers that recovery starts get no keys from the
//! environment, so a process without a key (`-`) does not count as changed.

use std::fs;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::{Backend, chain};
use crate::config::secrets::{self, Secret};
use crate::config::{self, Settings};

/// The name for a budget that is spent.
const BUDGET: &str = "budget";

/// The key of a process that has none.
const NO_KEY: &str = "-";

/// What a batch waits for that `backend` has deferred. `None` for a backend without a model.
pub fn for_backend(settings: &Settings, backend: Backend) -> Option<String> {
    backends(settings).into_iter().find(|text| name(text) == backend.name())
}

/// What a batch waits for that is over a budget.
pub fn for_budget(settings: &Settings) -> String {
    let budget = &settings.config.agent.budget;
    format!("{BUDGET} {} {NO_KEY}", hash(&[format!("{budget:?}").as_bytes()]))
}

/// Everything that a batch can wait for with these settings.
pub fn current(settings: &Settings) -> Vec<String> {
    let mut all = backends(settings);
    all.push(for_budget(settings));
    all
}

/// Whether a batch that waits for `waits_for` must still wait, if `current` is [`current`].
pub fn is_valid(waits_for: &str, current: &[String]) -> bool {
    let parts =
        |text: &str| text.rsplit_once(' ').map(|(rest, key)| (rest.to_owned(), key.to_owned()));
    let Some((settings, key)) = parts(waits_for) else { return false };
    current.iter().filter_map(|text| parts(text)).any(|(current_settings, current_key)| {
        current_settings == settings && (current_key == key || current_key == NO_KEY)
    })
}

/// The name of the backend, or `budget`.
pub fn name(waits_for: &str) -> &str {
    waits_for.split(' ').next().unwrap_or_default()
}

fn backends(settings: &Settings) -> Vec<String> {
    let mut before = String::new();
    let mut all = Vec::new();
    for backend in chain(&settings.config.agent, None) {
        if !backend.is_model() {
            continue;
        }
        let (parts, key) = match backend {
            Backend::Claude => of_program(settings),
            _ => of_api(settings, backend),
        };
        let parts: Vec<&[u8]> = parts.iter().map(String::as_bytes).collect();
        before = hash(&[&[before.as_bytes(), backend.name().as_bytes()], &parts[..]].concat());
        all.push(format!("{} {before} {}", backend.name(), key.as_deref().unwrap_or(NO_KEY)));
    }
    all
}

fn of_api(settings: &Settings, backend: Backend) -> (Vec<String>, Option<String>) {
    let agent = &settings.config.agent;
    let Some(http) = agent.http(backend.name()) else { return (Vec::new(), None) };
    let names = agent.key_names(backend.name());
    let key = secrets::api_key(settings, &config::process_env, names).ok().flatten();
    let key = key.as_ref().map(|(key, _)| hash(&[Secret::expose(key).as_bytes()]));
    let proxy = http.proxy.clone().unwrap_or_default();
    let fault = http.fault.clone().unwrap_or_default();
    (vec![http.base_url.clone(), http.model.clone(), proxy, fault], key)
}

fn of_program(settings: &Settings) -> (Vec<String>, Option<String>) {
    let claude = &settings.config.agent.claude;
    // A login modifies the file.
    let login = config::claude_credentials(settings).and_then(|file| fs::metadata(file).ok());
    let login = format!("{:?}", login.and_then(|meta| meta.modified().ok()));
    let account = config::claude_account_env();
    let account: Vec<&[u8]> = account.iter().map(String::as_bytes).collect();
    let key = (!account.is_empty()).then(|| hash(&account));
    let fault = claude.fault.clone().unwrap_or_default();
    (vec![claude.command.clone(), claude.model.clone(), login, fault], key)
}

fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    HEXLOWER.encode(&hash.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deferral_is_valid_until_its_settings_or_its_key_change() {
        let current = ["openai s1 k1".to_owned(), "budget b1 -".to_owned()];
        for (waits_for, expected) in [
            ("openai s1 k1", true),
            ("openai s1 k2", false),
            ("openai s2 k1", false),
            ("gemini s1 k1", false),
            ("budget b1 -", true),
            ("budget b2 -", false),
            ("", false),
        ] {
            assert_eq!(is_valid(waits_for, &current), expected, "{waits_for:?}");
        }
        let without_key = ["openai s1 -".to_owned()];
        assert!(is_valid("openai s1 k1", &without_key));
        assert!(!is_valid("openai s1 -", &current), "now there is a key");
        assert_eq!(name("openai s1 k1"), "openai");
    }
}
