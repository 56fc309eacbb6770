//! Model prices in US dollars per million tokens.
//!
//! The defaults are the list prices of June 2026. Prices in `agent.prices` take precedence. A model
//! without a price is counted at the highest known price, so a cost budget is never exceeded.

use super::parse::{list_items, parse_money};

/// Dollars per million tokens of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Price {
    /// Input that is neither read from nor written to the provider's cache.
    pub input: f64,
    pub output: f64,
    pub cache_read: f64,
    pub cache_write: f64,
}

impl Price {
    /// The price of a local model.
    pub const FREE: Price = Price { input: 0.0, output: 0.0, cache_read: 0.0, cache_write: 0.0 };
}

/// Prices by model name prefix.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prices {
    /// Those of the user first.
    all: Vec<(String, Price)>,
    n_of_user: usize,
}

/// `model=in/out[/cache-read[/cache-write]]`, separated by commas. A name also matches names that
/// append a version or a date.
pub const DEFAULT: &str = "claude-haiku=1/5/0.1/1.25,claude-sonnet=3/15/0.3/3.75,\
    claude-opus=5/25/0.5/6.25,claude-opus-4-1=15/75/1.5/18.75,\
    haiku=1/5/0.1/1.25,sonnet=3/15/0.3/3.75,opus=5/25/0.5/6.25,\
    gemini-2.5-flash-lite=0.1/0.4/0.01,gemini-2.5-flash=0.3/2.5/0.03,gemini-2.5-pro=1.25/10/0.125,\
    gemini-3-flash=0.5/3/0.05,gemini-3.1-flash-lite=0.25/1.5/0.025,gemini-3.1-pro=2/12/0.2,\
    gemini-3.5-flash=1.5/9/0.15,\
    gpt-4o-mini=0.15/0.6/0.075,gpt-4.1-nano=0.1/0.4/0.025,gpt-4.1-mini=0.4/1.6/0.1,\
    gpt-5-nano=0.05/0.4/0.005,gpt-5-mini=0.25/2/0.025,gpt-5=1.25/10/0.125";

impl Prices {
    /// Parses the user's prices and appends the defaults.
    ///
    /// # Errors
    /// A message with the invalid item.
    pub fn parse(text: &str) -> Result<Prices, String> {
        let items = list_items(text).chain(list_items(DEFAULT));
        let prices = items.map(|item| {
            parse_item(item).ok_or_else(|| {
                format!(
                    "invalid price '{item}', expected model=in/out in dollars per million tokens"
                )
            })
        });
        let n_of_user = list_items(text).count();
        Ok(Prices { all: prices.collect::<Result<_, _>>()?, n_of_user })
    }

    /// The price of the longest matching name. A provider prefix (`anthropic/claude-…`) is ignored.
    pub fn of(&self, model: &str) -> Option<Price> {
        find(&self.all, model)
    }

    /// The same, of the names that the user has set.
    pub fn of_user(&self, model: &str) -> Option<Price> {
        find(&self.all[..self.n_of_user], model)
    }

    /// The highest known price of each kind.
    pub fn most_expensive(&self) -> Price {
        let most =
            |kind: fn(&Price) -> f64| self.all.iter().map(|(_, p)| kind(p)).fold(0.0, f64::max);
        Price {
            input: most(|p| p.input),
            output: most(|p| p.output),
            cache_read: most(|p| p.cache_read),
            cache_write: most(|p| p.cache_write),
        }
    }
}

fn find(prices: &[(String, Price)], model: &str) -> Option<Price> {
    let model = model.rsplit('/').next().unwrap_or(model).to_ascii_lowercase();
    let mut found: Option<&(String, Price)> = None;
    for entry in prices {
        let longer = found.is_none_or(|(name, _)| entry.0.len() > name.len());
        if longer && model.strip_prefix(&entry.0).is_some_and(is_version) {
            found = Some(entry);
        }
    }
    found.map(|(_, price)| *price)
}

/// Parses a model name and its price. Missing cache prices equal the input price.
fn parse_item(item: &str) -> Option<(String, Price)> {
    let (model, dollars) = item.split_once('=')?;
    let mut dollars = dollars.split('/').map(|d| parse_money(d.trim()));
    let (input, output) = (dollars.next()??, dollars.next()??);
    let cache_read = dollars.next().unwrap_or(Some(input))?;
    let cache_write = dollars.next().unwrap_or(Some(input))?;
    let model = model.trim().to_ascii_lowercase();
    (dollars.next().is_none() && !model.is_empty())
        .then_some((model, Price { input, output, cache_read, cache_write }))
}

/// Whether a suffix is a version of the same model: `-4-5`, `-20251001`, `-preview-09`.
fn is_version(rest: &str) -> bool {
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let word = |part: &str| number(part) || matches!(part, "latest" | "preview" | "exp");
    rest.is_empty() || rest.strip_prefix(['-', ':', '@']).is_some_and(|r| r.split('-').all(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_matches_its_versions_and_no_other_model() {
        let prices = Prices::parse("").unwrap();
        let check = |model: &str, input: Option<f64>| {
            assert_eq!(prices.of(model).map(|p| p.input), input, "{model}");
        };
        check("claude-haiku-4-5-20251001", Some(1.0));
        check("anthropic/claude-haiku-4.5", Some(1.0));
        check("claude-opus-4-1-20250805", Some(15.0));
        check("claude-opus-4-8", Some(5.0));
        check("haiku", Some(1.0));
        check("gemini-2.5-flash", Some(0.3));
        check("gemini-2.5-flash-lite-preview-09-2025", Some(0.1));
        check("gpt-5-2025-08-07", Some(1.25));
        check("GPT-5-mini", Some(0.25));
        check("gpt-5-pro", None);
        check("gpt-5.5", None);
        check("llama3.2:3b", None);
        assert_eq!((prices.most_expensive().input, prices.most_expensive().output), (15.0, 75.0));
    }

    #[test]
    fn prices_of_the_user_take_precedence() {
        let prices = Prices::parse("claude-haiku = 2/10, llama=0/0").unwrap();
        let haiku = prices.of("claude-haiku-4-5").unwrap();
        assert_eq!(haiku, Price { input: 2.0, output: 10.0, cache_read: 2.0, cache_write: 2.0 });
        assert_eq!(prices.of("llama"), Some(Price::FREE));
        assert_eq!((prices.of_user("llama3"), prices.of_user("gpt-5")), (None, None));
        assert_eq!(prices.of_user("llama:8"), Some(Price::FREE));
        for wrong in ["x", "x=1", "x=1/2/3/4/5", "=1/2", "x=-1/2", "x=1/two"] {
            assert!(Prices::parse(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
