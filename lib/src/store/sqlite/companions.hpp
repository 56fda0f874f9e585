// SPDX-License-Identifier: Apache-2.0
// The two files beside a database: DATABASE.key, with which session rows are sealed, and DATABASE.mark, which tells
// whether older rows came back. Both are readable by their owner alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <SQLiteCpp/Database.h>

#include <usher/core/meeting.hpp>
#include <usher/crypto/hmac.hpp>

namespace usher {

/// Seals what a session row says, so that rows of others' making are told apart. Copies share the key.
class Seal {
public:
    explicit Seal(std::string_view key) : key_{std::make_shared<HmacKey>(Digest::sha256, key)} {}

    /// 16 bytes over the database, the meeting, and all of the session but its number and what changes.
    std::string
    of(std::string_view database_id, std::string_view meeting_id, SessionRow const& session,
       std::int64_t created_at) const;

private:
    std::shared_ptr<HmacKey const> key_;
};

/// Reads DATABASE.key, or the credential `usher.db.key` where systemd gives one; nothing when there is none.
/// Errors: DatabaseError when the file cannot be read, or is no key.
std::optional<Seal> read_seal(std::string const& path);

/// Likewise, of this file alone.
std::optional<Seal> read_key(std::string const& file);

/// Whether any of the newest sessions is sealed with it, if there are such.
bool seals_some(SQLite::Database& database, Seal const& seal);

/// Writes a new key to `file`, which must not be there, with the owner of the database at `path`. Errors:
/// DatabaseError.
Seal make_seal(std::string const& path, std::string const& file);

/// Keeps DATABASE.key open, so that it can be put back: without it, the next start would refuse all sessions.
class KeyFile {
public:
    explicit KeyFile(std::string const& path);
    KeyFile(KeyFile const&) = delete;
    KeyFile& operator=(KeyFile const&) = delete;
    ~KeyFile();

    void put_back(); ///< When somebody removed it, and nothing is in its place.

private:
    std::string path_;
    std::string file_;
    int descriptor_ = -1; ///< None where the key is a credential of systemd's.
};

/// 16 random bytes, in hex.
std::string random_id();

/// What DATABASE.mark says.
struct Mark {
    std::string database_id;
    std::int64_t seq = 0;
    std::int64_t restores = 0;
};

/// Keeps DATABASE.mark open for writing. Errors: DatabaseError.
class MarkFile {
public:
    explicit MarkFile(std::string const& path);
    MarkFile(MarkFile const&) = delete;
    MarkFile& operator=(MarkFile const&) = delete;
    ~MarkFile();

    bool is_there() const;            ///< Nobody has removed it.
    std::optional<Mark> read() const; ///< Nothing when it is empty or damaged.
    void write(Mark const& mark);

private:
    void open();

    std::string path_;
    std::string file_;
    int descriptor_ = -1;
};

} // namespace usher
