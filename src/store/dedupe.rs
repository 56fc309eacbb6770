//! Removes the duplicate rows that would violate a new unique index. The row with the lowest id
//! stays, and references to the others are changed to it.

use rusqlite::{Transaction, params};

use super::error::{Result, StoreError};

/// Removes the rows of `table` that violate `index`, a statement of the form
/// `CREATE UNIQUE INDEX … ON table(…) [WHERE …]`. Returns whether there were some.
pub fn dedupe_rows(tx: &Transaction, table: &str, index: &str) -> Result<bool> {
    let (columns, condition) = parse_index(index)
        .ok_or_else(|| StoreError::Bug(format!("cannot parse the index: {index}")))?;
    let mut sql = format!(
        "SELECT id, (min(id) OVER (PARTITION BY {})) AS keep FROM {table} WHERE {condition}",
        columns.join(", ")
    );
    for column in &columns {
        sql += &format!(" AND {column} IS NOT NULL");
    }
    let sql = format!("SELECT id, keep FROM ({sql}) WHERE id <> keep ORDER BY id");
    let mut rows = tx.prepare(&sql)?;
    let rows = rows.query_map([], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
    let duplicates = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for &(id, keep) in &duplicates {
        if table == "sessions" {
            renumber_prompts(tx, id, keep)?;
        }
        redirect_references(tx, table, id, keep)?;
        tx.execute(&format!("DELETE FROM {table} WHERE id = ?1"), [id])?;
    }
    Ok(!duplicates.is_empty())
}

/// The indexed expressions and the `WHERE` condition of a `CREATE INDEX` statement.
fn parse_index(index: &str) -> Option<(Vec<String>, String)> {
    let start = index.find('(')? + 1;
    let (mut columns, mut column, mut depth) = (Vec::new(), String::new(), 0);
    let mut end = None;
    for (i, c) in index[start..].char_indices() {
        match c {
            ')' if depth == 0 => {
                end = Some(start + i + 1);
                break;
            }
            ',' if depth == 0 => {
                columns.push(std::mem::take(&mut column));
                continue;
            }
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        column.push(c);
    }
    columns.push(column);
    let rest = index[end?..].trim();
    let condition = match rest.strip_prefix("WHERE") {
        Some(condition) => format!("({})", condition.trim()),
        None => "1".into(),
    };
    Some((columns.iter().map(|c| c.trim().to_owned()).collect(), condition))
}

/// Changes references to row `id` into references to `keep`. A reference that would then be a
/// duplicate is deleted.
fn redirect_references(tx: &Transaction, table: &str, id: i64, keep: i64) -> Result<()> {
    let mut children = tx.prepare(
        "SELECT t.name, k.\"from\" FROM pragma_table_list AS t, pragma_foreign_key_list(t.name) AS k
         WHERE t.schema = 'main' AND t.type = 'table' AND k.\"table\" = ?1",
    )?;
    let children = children
        .query_map([table], |r| Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?)))?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    for (child, column) in children {
        tx.execute(
            &format!("UPDATE OR IGNORE {child} SET {column} = ?2 WHERE {column} = ?1"),
            params![id, keep],
        )?;
        tx.execute(&format!("DELETE FROM {child} WHERE {column} = ?1"), [id])?;
    }
    Ok(())
}

/// Renumbers the prompts of session `id` to follow those of session `keep`: both rows number their
/// prompts from 1.
fn renumber_prompts(tx: &Transaction, id: i64, keep: i64) -> Result<()> {
    let highest = |id: i64| -> Result<i64> {
        Ok(tx.query_row(
            "SELECT max(s.prompt_counter, ifnull((SELECT max(prompt_number) FROM user_prompts
               WHERE session_id = s.id), 0)) FROM sessions s WHERE id = ?1",
            [id],
            |r| r.get(0),
        )?)
    };
    let (kept, moved) = (highest(keep)?, highest(id)?);
    for table in ["user_prompts", "pending_messages", "observations", "session_summaries"] {
        // Two steps, through negative numbers, because SQLite checks the unique index after each
        // row.
        for sql in [
            "UPDATE {} SET prompt_number = -(prompt_number + ?2)
             WHERE session_id = ?1 AND prompt_number > 0",
            "UPDATE {} SET prompt_number = -prompt_number
             WHERE session_id = ?1 AND prompt_number < 0 AND ?2 >= 0",
        ] {
            tx.execute(&sql.replace("{}", table), params![id, kept])?;
        }
    }
    tx.execute(
        "UPDATE sessions SET prompt_counter = ?2 WHERE id = ?1",
        params![keep, kept + moved],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_statement_is_parsed() {
        let check = |sql: &str, columns: &[&str], condition: &str| {
            let (found, found_condition) = parse_index(sql).unwrap();
            assert_eq!(
                (found, found_condition.as_str()),
                (columns.iter().map(|c| c.to_string()).collect(), condition)
            );
        };
        check("CREATE UNIQUE INDEX i ON t(a, b)", &["a", "b"], "1");
        check(
            "CREATE UNIQUE INDEX i\n  ON t(a, ifnull(b, ''), c)\n WHERE c IS NOT NULL",
            &["a", "ifnull(b, '')", "c"],
            "(c IS NOT NULL)",
        );
    }
}
