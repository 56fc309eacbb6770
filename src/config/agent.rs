//! Settings of the memory agents: backend, address, model, budgets and API key names.

use std::time::Duration;

use super::parse::{OLLAMA, OLLAMA_URL, host};
use super::prices::{Price, Prices};
use super::values::Values;

#[derive(Clone, Debug)]
pub struct Agent {
    /// One of [`super::BACKENDS`].
    pub backend: String,
    /// Backends that take over, in this order.
    pub fallback: Vec<String>,
    pub turn_timeout: Duration,
    pub defer_max: Duration,
    pub max_children: usize,
    pub batch_events: usize,
    pub batch_bytes: usize,
    pub batch_quiet: Duration,
    pub claude: Claude,
    pub anthropic: Http,
    pub gemini: Http,
    pub openai: Http,
    pub budget: Budget,
    pub prices: Prices,
}

#[derive(Clone, Debug)]
pub struct Claude {
    pub command: String,
    pub model: String,
    pub proxy: Option<String>,
    /// Why the settings do not say what is run. Nothing is sent then.
    pub fault: Option<String>,
}

/// Settings of an HTTP backend.
#[derive(Clone, Debug)]
pub struct Http {
    /// Without a trailing slash.
    pub base_url: String,
    /// Empty: the first model of the server.
    pub model: String,
    pub proxy: Option<String>,
    pub max_tokens: usize,
    /// Possible names of the API key. The first that has a value is used. Empty: no key is sent.
    pub key_names: Vec<String>,
    /// Why the settings do not say where text is sent. Nothing is sent then.
    pub fault: Option<String>,
}

/// Limits on model usage. 0 means unlimited. Tokens count input and output, cost is in US dollars,
/// and a turn is one call.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Budget {
    pub session: Allowance,
    pub day: Allowance,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Allowance {
    pub tokens: u64,
    pub turns: u64,
    pub cost: f64,
}

/// The backend that is no model.
const LOCAL_BACKEND: &str = "extractive";

/// API keys with a second name.
const ALIASES: [(&str, &str); 1] = [("GEMINI_API_KEY", "GOOGLE_API_KEY")];

/// Hosts with an OpenAI-compatible API and the usual name of their key. A key is sent to another
/// host only if the user sets `agent.openai.key`.
const HOSTS: [(&str, &str); 9] = [
    ("api.openai.com", "OPENAI_API_KEY"),
    ("openrouter.ai", "OPENROUTER_API_KEY"),
    ("api.groq.com", "GROQ_API_KEY"),
    ("api.mistral.ai", "MISTRAL_API_KEY"),
    ("api.deepseek.com", "DEEPSEEK_API_KEY"),
    ("api.together.xyz", "TOGETHER_API_KEY"),
    ("api.cerebras.ai", "CEREBRAS_API_KEY"),
    ("api.x.ai", "XAI_API_KEY"),
    ("generativelanguage.googleapis.com", "GEMINI_API_KEY"),
];

impl Agent {
    pub(super) fn from(values: &Values) -> Agent {
        let claude = Claude {
            command: values.text("agent.claude.command"),
            model: values.text("agent.claude.model"),
            proxy: proxy(values, "claude"),
            fault: values.fault("agent.claude."),
        };
        let allowance = |per: &str| Allowance {
            tokens: values.size(&format!("agent.budget.{per}_tokens")) as u64,
            turns: values.size(&format!("agent.budget.{per}_turns")) as u64,
            cost: values.money(&format!("agent.budget.{per}_cost")),
        };
        Agent {
            backend: values.text("agent.backend"),
            fallback: values.list("agent.fallback"),
            turn_timeout: values.time("agent.turn_timeout"),
            defer_max: values.time("agent.defer_max"),
            max_children: values.size("agent.max_children"),
            batch_events: values.size("agent.batch_events"),
            batch_bytes: values.size("agent.batch_bytes"),
            batch_quiet: values.time("agent.batch_quiet"),
            claude,
            anthropic: Http::from(values, "anthropic"),
            gemini: Http::from(values, "gemini"),
            openai: Http::from(values, "openai"),
            budget: Budget { session: allowance("session"), day: allowance("day") },
            prices: values.prices("agent.prices"),
        }
    }

    /// The backend and its fallbacks without duplicates.
    pub fn chain(&self) -> Vec<&str> {
        let mut chain = vec![self.backend.as_str()];
        for name in &self.fallback {
            if !chain.contains(&name.as_str()) {
                chain.push(name);
            }
        }
        chain
    }

    /// Whether the chain names a model. Without one, all events are distilled by the local rules.
    pub fn uses_model(&self) -> bool {
        self.chain().into_iter().any(|backend| backend != LOCAL_BACKEND)
    }

    /// The settings of an HTTP backend.
    pub fn http(&self, backend: &str) -> Option<&Http> {
        match backend {
            "anthropic" => Some(&self.anthropic),
            "gemini" => Some(&self.gemini),
            "openai" => Some(&self.openai),
            _ => None,
        }
    }

    /// The names of the API keys of a backend, preferred first.
    pub fn key_names(&self, backend: &str) -> &[String] {
        self.http(backend).map_or(&[], |http| &http.key_names)
    }

    /// The price of a model, and whether the price is known. A local model is free, unless the user has
    /// set a price: a gateway or a tunnel may listen there. A model without a price gets the highest
    /// known price.
    pub fn price(&self, backend: &str, model: &str) -> (Price, bool) {
        if let Some(price) = self.prices.of_user(model) {
            return (price, true);
        }
        if self.http(backend).is_some_and(Http::is_local) {
            return (Price::FREE, true);
        }
        match self.prices.of(model) {
            Some(price) => (price, true),
            None => (self.prices.most_expensive(), false),
        }
    }
}

impl Http {
    fn from(values: &Values, backend: &str) -> Http {
        let name = |key: &str| format!("agent.{backend}.{key}");
        let base_url = values.text(&name("base_url")).trim_end_matches('/').to_owned();
        let ollama = base_url == OLLAMA;
        let base_url = if ollama { OLLAMA_URL.to_owned() } else { base_url };
        // The default model belongs to OpenAI. A local server does not have it.
        let model = values.explicit(&name("model")).filter(|_| ollama).unwrap_or_default();
        let key = match values.text(&name("key")) {
            key if key.is_empty() => default_key_name(&base_url).map(str::to_owned),
            key => Some(key),
        };
        let alias = |key: &String| {
            ALIASES.iter().find(|(usual, _)| usual == key).map(|(_, alias)| (*alias).to_owned())
        };
        let key_names = key.iter().cloned().chain(key.as_ref().and_then(alias)).collect();
        Http {
            base_url,
            model: if ollama { model } else { values.text(&name("model")) },
            proxy: proxy(values, backend),
            max_tokens: values.size(&name("max_tokens")),
            key_names,
            fault: values.fault(&format!("agent.{backend}.")),
        }
    }

    /// Whether the server runs on this machine.
    pub fn is_local(&self) -> bool {
        host(&self.base_url).is_some_and(|host| {
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
        })
    }
}

fn proxy(values: &Values, backend: &str) -> Option<String> {
    Some(values.text(&format!("agent.{backend}.proxy"))).filter(|proxy| !proxy.is_empty())
}

fn default_key_name(base_url: &str) -> Option<&'static str> {
    let host = host(base_url)?;
    HOSTS.iter().find(|(known, _)| *known == host).map(|(_, key)| *key)
}

/// API key names that backends use by default.
pub fn default_key_names() -> impl Iterator<Item = &'static str> {
    let aliases = ALIASES.iter().map(|(_, alias)| *alias);
    HOSTS.iter().map(|(_, key)| *key).chain(["ANTHROPIC_API_KEY"]).chain(aliases)
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn with(file: &str) -> super::Agent {
        let config = Config::of_text(file);
        assert!(config.problems.is_empty(), "{:?}", config.problems);
        super::Agent::clone(&config.agent)
    }

    #[test]
    fn a_model_may_be_the_backend_or_a_fallback() {
        let check = |agent: &str, expected: bool| {
            assert_eq!(with(&format!("[agent]\n{agent}")).uses_model(), expected, "{agent}");
        };
        check("", false);
        check("backend = 'gemini'", true);
        check("fallback = ['extractive', 'openai']", true);
        check("fallback = []", false);
    }

    #[test]
    fn a_key_is_sent_only_to_its_own_host() {
        let check = |openai: &str, want: &[&str]| {
            assert_eq!(
                with(&format!("[agent.openai]\n{openai}")).key_names("openai"),
                want,
                "{openai}"
            );
        };
        check("", &["OPENAI_API_KEY"]);
        check("base_url = 'https://openrouter.ai/api/v1/'", &["OPENROUTER_API_KEY"]);
        check("base_url = 'http://localhost:11434/v1'", &[]);
        check("base_url = 'https://openai.example.com/v1'", &[]);
        check("base_url = 'https://llm.example.com'\nkey = 'OURS'", &["OURS"]);
        let agent = with("");
        assert_eq!(agent.key_names("gemini"), ["GEMINI_API_KEY", "GOOGLE_API_KEY"]);
        assert_eq!(agent.key_names("anthropic"), ["ANTHROPIC_API_KEY"]);
        assert!(agent.key_names("extractive").is_empty() && agent.key_names("claude").is_empty());
    }

    #[test]
    fn local_models_are_free_and_unknown_models_cost_the_maximum() {
        let local = with("[agent.openai]\nbase_url = 'http://127.0.0.1:8080/v1'");
        assert_eq!(local.price("openai", "llama3.2").0.output, 0.0);
        let gateway = with(
            "[agent]\nprices = 'gpt-5-mini=0.25/2'\n\
             [agent.openai]\nbase_url = 'http://127.0.0.1:4000/v1'",
        );
        assert_eq!(gateway.price("openai", "gpt-5-mini").0.output, 2.0);
        assert_eq!(gateway.price("openai", "gpt-5").0.output, 0.0);
        let remote = with("[agent.openai]\nbase_url = 'https://llm.example.com'");
        let (price, known) = remote.price("openai", "llama3.2");
        assert_eq!((price.output, known), (75.0, false));
        let (price, known) = remote.price("claude", "haiku");
        assert_eq!((price.output, known), (5.0, true));
    }

    #[test]
    fn ollama_is_an_alias_for_the_local_server() {
        let agent = with("[agent.openai]\nbase_url = 'ollama'");
        assert_eq!(agent.openai.base_url, "http://127.0.0.1:11434/v1");
        assert!(agent.openai.is_local() && agent.openai.model.is_empty());
        assert!(agent.key_names("openai").is_empty());
        let agent = with("[agent.openai]\nbase_url = 'ollama'\nmodel = 'qwen3'");
        assert_eq!(agent.openai.model, "qwen3");
    }

    #[test]
    fn budgets_are_limited_by_default() {
        let budget = with("").budget;
        for allowance in [budget.session, budget.day] {
            assert!(allowance.tokens > 0 && allowance.turns > 0 && allowance.cost > 0.0);
        }
        let agent = with("[agent]\nbackend = 'gemini'\nfallback = ['claude', 'gemini']");
        assert_eq!(agent.chain(), ["gemini", "claude"]);
    }
}
