// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <SQLiteCpp/SQLiteCpp.h>

#include <usher/core/promises.hpp>
#include <usher/store/sqlite/store_file.hpp>

#include "simulation/daemon.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/network.hpp"
#include "simulation/story.hpp"

namespace usher::simulation {

/// Knows what usher promises, and looks whether it keeps it: in what platforms read, in what they read before, and in
/// what the vendor knows.
class Oracle {
public:
    Oracle(VirtualClock& clock, MemoryVfs& vfs, Story& story, Network& network, std::string database);

    void open(ProcessId process);
    void close();

    /// What is configured. Tokens that were signed before are still good.
    void configure(Setting const& setting);
    /// While it is not sound, a daemon need not have looked at what it promised before: the clock was set, the
    /// configuration is new.
    void set_sound(bool sound) { sound_ = sound; }

    /// Whatever was published since the last look.
    void look();
    void check(std::string const& meeting);
    /// Everything, as after a long calm: nothing may be waiting.
    void check_all(bool all_must_be_done);
    /// The session of the meeting may be another one than before.
    void free(std::string const& meeting) { free_.insert(meeting); }
    void free_all();
    /// Somebody wrote into usher's rows of this meeting: nothing is promised until it is looked at.
    void taint(std::string const& meeting) { tainted_.insert(meeting); }
    /// While views or triggers are gone nobody can be asked.
    void set_blind(bool blind) { blind_ = blind; }
    /// A view that somebody dropped is put back before long.
    void check_views();
    /// Older rows came back: followers are to be told.
    void begin_anew();
    /// A request has been filed: none of the tokens that are there now may be left when it is done, or not the session.
    void asked_to_rotate(std::string const& meeting);
    void asked_to_replace(std::string const& meeting);
    /// After a calm of so long: what could be rotated is.
    void check_rotations(Duration calm);
    /// The platform cancelled it, if it is there: should it come back, it gets another session.
    void cancelled(std::string const& meeting);
    /// After a calm: what is over was cleared away, and no call is left without an end.
    void check_upkeep();
    /// Whoever is in the session is being thrown out.
    void check_disconnect(std::string const& session_id);
    /// What anybody saw is there still, and the file is sound.
    void check_survival();

    /// All that readers see now; nothing while they cannot read.
    std::optional<std::string> published();

    void report(std::string promise, std::string const& meeting, std::string const& what);
    std::vector<Violation> const& violations() const { return violations_; }
    /// What led to the first of them.
    std::vector<std::string> const& story_so_far() const { return story_so_far_; }
    /// When that was.
    Instant first_at() const { return first_at_; }
    std::int64_t rows_seen() const { return rows_seen_; }

private:
    struct Asked {
        std::int64_t request_id = 0;
        std::set<std::string> tokens{}; ///< That were published then.
        std::string session{};          ///< Likewise, if it was to be replaced.
        Instant at{};
    };

    /// A credential that a key was found for.
    struct Verified {
        Credential credential;
        std::string key_id{};

        bool says_the_same_as(Credential const& other) const;
    };

    void check_one(std::string const& meeting);
    Result<void> verified(std::string const& meeting, Credential const& credential);
    void check_session(std::string const& meeting, std::string const& session, bool adopted, bool is_sandbox);
    void check_rows(std::string const& meeting, MeetingSnapshot const& read);
    void check_requests(std::string const& meeting, MeetingEvidence const& evidence);
    void check_keys(std::string const& meeting, std::vector<Credential> const& published);
    void check_followers();
    /// Whether `read` could read: a view that somebody has dropped shows nothing, which is nobody's fault for a while.
    template <class Read>
    bool sees(Read read);
    SQLite::Statement& credentials_of(std::string const& meeting);
    std::optional<std::int64_t> last_request(std::string const& meeting);
    std::string request_state(std::int64_t request_id);
    std::set<std::string> tokens_of(std::string const& meeting);

    VirtualClock& clock_;
    MemoryVfs& vfs_;
    Story& story_;
    Network& network_;
    std::string database_;
    ProcessId process_ = 0;
    std::unique_ptr<SQLite::Database> connection_;
    std::unique_ptr<SQLite::Statement> changed_;
    std::unique_ptr<SQLite::Statement> followed_row_;
    std::unique_ptr<SQLite::Statement> credentials_;
    std::unique_ptr<SQLite::Statement> request_state_;
    std::optional<StoreFile> store_;
    Projects projects_;
    std::map<std::string, std::vector<TokenSigner>, std::less<>> signers_; ///< By the vendor's name for a project.
    std::map<std::string, std::map<std::string, Verified>> verified_;      ///< By meeting and participant.
    bool sound_ = false;
    bool blind_ = false;
    std::optional<Instant> missing_since_; ///< A view.
    std::int64_t last_seq_ = 0;
    std::int64_t rows_seen_ = 0;
    std::map<std::string, std::string, std::less<>> sessions_; ///< That were published last, by meeting.
    std::set<std::string, std::less<>> free_;
    std::set<std::string, std::less<>> tainted_;
    std::set<std::pair<std::string, std::string>> withdrawn_; ///< Meetings, and the sessions that must not come back.
    std::multimap<std::string, Asked, std::less<>> asked_;    ///< By meeting.
    std::int64_t restores_ = 0;                               ///< That followers know of,
    std::int64_t followed_ = 0;                               ///< and up to which seq they have read.
    bool must_tell_ = false;                                  ///< Older rows came back since.
    std::vector<Violation> violations_;
    std::vector<std::string> story_so_far_;
    Instant first_at_{};
};

} // namespace usher::simulation
