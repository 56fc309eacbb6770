//! The resolved settings and typed access to them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::keys::Key;
use super::parse;
use super::prices::Prices;

/// The resolved value of a setting.
#[derive(Clone, Debug)]
pub struct Value {
    pub key: &'static Key,
    pub text: Cow<'static, str>,
    pub source: ValueSource,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueSource {
    Default,
    File,
    Environment,
}

/// All settings in the order of the table.
#[derive(Clone)]
pub(super) struct Values {
    pub(super) all: Arc<[Value]>,
    /// Settings whose default must not be used, with the reason.
    pub(super) undecided: Arc<[(String, String)]>,
}

impl Values {
    fn value(&self, name: &str) -> &str {
        let found = self.all.iter().find(|value| value.key.name == name);
        found.map_or_else(|| unreachable!("{name} is not in the table"), |value| &value.text)
    }

    /// The value if it is not the default.
    pub(super) fn explicit(&self, name: &str) -> Option<String> {
        let found = self.all.iter().find(|value| value.key.name == name)?;
        (found.source != ValueSource::Default).then(|| found.text.trim().to_owned())
    }

    /// Why the settings that begin with `prefix` do not say where text is sent.
    pub(super) fn fault(&self, prefix: &str) -> Option<String> {
        let found = self.undecided.iter().find(|(name, _)| name.starts_with(prefix));
        found.map(|(_, why)| why.clone())
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.value(name).trim().to_owned()
    }

    /// Whether a setting is `true`.
    pub(super) fn switch(&self, name: &str) -> bool {
        self.value(name).trim() == "true"
    }

    pub(super) fn time(&self, name: &str) -> Duration {
        parse::parse_duration(self.value(name)).expect("checked")
    }

    pub(super) fn size(&self, name: &str) -> usize {
        parse::parse_bytes(self.value(name)).expect("checked") as usize
    }

    pub(super) fn money(&self, name: &str) -> f64 {
        parse::parse_money(self.value(name)).expect("checked")
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        parse::list_items(self.value(name)).map(str::to_owned).collect()
    }

    pub(super) fn prices(&self, name: &str) -> Prices {
        Prices::parse(self.value(name)).expect("checked")
    }
}
