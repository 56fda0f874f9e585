// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <set>
#include <string>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/core/token.hpp>

namespace usher::test {

inline std::vector<std::vector<std::string>> rows_of(SQLite::Database& database, std::string const& query)
{
    std::vector<std::vector<std::string>> rows;
    SQLite::Statement statement{database, query};
    while (statement.executeStep())
        for (int i = (rows.emplace_back(), 0); i < statement.getColumnCount(); ++i)
            rows.back().push_back(statement.getColumn(i).isNull() ? "NULL" : statement.getColumn(i).getString());
    return rows;
}

inline std::string joined(std::vector<std::string> const& words)
{
    std::string text;
    for (std::string const& word : words)
        text += (text.empty() ? "" : "|") + word;
    return text;
}

/// What a platform can tell apart. Left out, since they depend on when usher looked and are not meant to be told from
/// the rows: the texts of sessions and tokens, issue times, the expiry of a token that is to be rotated (the checker
/// bounds it), seq, ready_at, next_at and history; of meetings that are deleted their state, a memory of the row; and
/// why a meeting waits: one that was moved has its session already, and its people are looked at more closely.
inline std::set<std::string> outcome(SQLite::Database& database)
{
    std::set<std::string> lines;
    std::set<std::string> waiting;
    std::set<std::string> unservable; // what is published of these stays while it is true, and that is a memory too
    for (auto row : rows_of(
             database, "SELECT m.id, s.state, s.opens_at, s.closes_at, s.reason, s.detail FROM meeting m "
                       "LEFT JOIN meeting_status s ON s.meeting_id = m.id"
         )) {
        if (row[4] == "unknown_project" || row[4] == "row_invalid")
            unservable.insert(row[0]);
        if (row[1] == "waiting") {
            waiting.insert(row[0]);
            row.resize(4);
        }
        lines.insert("meeting " + joined(row));
    }
    for (auto row : rows_of(
             database, "SELECT p.meeting_id, participant_id, role, p.opens_at, "
                       "CASE WHEN m.id IS NOT NULL THEN p.closes_at END, p.state, p.reason, p.detail "
                       "FROM participant_status p LEFT JOIN meeting m ON m.id = p.meeting_id"
         )) {
        if (waiting.contains(row[0]) && (row[5] == "waiting" || row[5] == "failed"))
            row.resize(5);
        if (!unservable.contains(row[0]))
            lines.insert("participant " + joined(row));
    }
    for (auto row : rows_of(
             database, "SELECT meeting_id, participant_id, project, project_key, role, opens_at, closes_at, token "
                       "FROM join_credential"
         )) {
        if (unservable.contains(row[0]))
            continue;
        const auto token = decode_token(row.back());
        row.back() = token ? token->role + "|" + token->connection_data + "|" + token->layout_classes : "unreadable";
        lines.insert("credential " + joined(row));
    }
    return lines;
}

/// Those who hold a token that lives as long as their meeting.
inline std::set<std::string> served_to_the_end(SQLite::Database& database)
{
    std::set<std::string> who;
    for (auto const& row : rows_of(
             database, "SELECT c.meeting_id, participant_id FROM join_credential c JOIN meeting_status s "
                       "ON s.meeting_id = c.meeting_id WHERE expires_at = c.closes_at AND s.state = 'ready'"
         ))
        who.insert(joined(row));
    return who;
}

} // namespace usher::test
