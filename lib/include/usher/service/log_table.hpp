// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace usher {

/// The numbers are the journal's priorities.
enum class LogSeverity : std::uint8_t { error = 3, warning = 4, notice = 5, info = 6, debug = 7 };

inline constexpr std::size_t log_priorities = 8; ///< From 0 to 7; usher uses those of LogSeverity.

constexpr std::string_view to_text(LogSeverity severity)
{
    switch (severity) {
    case LogSeverity::error: return "error";
    case LogSeverity::warning: return "warning";
    case LogSeverity::notice: return "notice";
    case LogSeverity::info: return "info";
    case LogSeverity::debug: return "debug";
    }
    return "unknown";
}

/// Something that usherd says.
struct LogEvent {
    std::string_view name;       ///< For programs; never changed, never given to something else.
    LogSeverity severity;        ///< At `debug`: a step on the way, for whoever wants to know why.
    std::string_view message_id; ///< The journal's MESSAGE_ID: drawn once, and never used for another event.
    std::string_view text;       ///< What its lines begin with, in the words of the reference.
    std::string_view way_out;    ///< What to do; empty only where nobody has to do anything.
    bool limited = true;         ///< Whether a flood of it is thinned out: not where each line is an answer.
};

/// All that there are; `usherd --words` prints them. docs/log.md and systemd/usher.catalog hold the same.
inline constexpr LogEvent log_events[] = {
    {"config.refused", LogSeverity::error, "e8e00ebfe5d042208d28768c89a33c85",
     "configuration refused, the old one stays", "correct what it names, and reload again", false},
    {"contract.damaged", LogSeverity::error, "edb4da9bd2e74f3a8bd5428041583a34", "contract damaged",
     "run the command in `way_out`, and keep the tool that did it from usher's tables"},
    {"daemon.failed", LogSeverity::error, "2d82908f35604b94a1699e22706e81ed", "usherd ends",
     "look for `reason` under What ends the daemon; systemd starts usherd again where that can help", false},
    {"row.refused", LogSeverity::error, "d997d597394544f3ad44f515df6f35e0",
     "meeting cannot be written, the others are served",
     "look for foreign triggers on usher's tables and for a damaged file"},
    {"store.damaged", LogSeverity::error, "a6540c49df8e4f2ba9a7e86447ddbd07",
     "the database is damaged, what lies elsewhere is served",
     "stop usherd and put a backup in its place with `usherctl restore`; meetings whose rows can be read are served "
     "until then"},
    {"store.full", LogSeverity::error, "6011007cbfaddb4bfb4886db2b600a2a", "no room on the disk, trying again",
     "make room on the disk that `reason` names; nothing is lost, and usherd goes on by itself; told once, until "
     "`store.free`"},
    {"task.failed", LogSeverity::error, "66d593faaecb4a7ab91a8ab601a66a61", "task failed, usherd ends",
     "look for `reason` under What ends the daemon; systemd starts usherd again", false},

    {"agenda.unreadable", LogSeverity::warning, "8eb4d171341f4cb7822181c5e1e652ff",
     "rows of agenda cannot be read and are made anew", "find who writes to usher's tables"},
    {"backup.restored", LogSeverity::warning, "0590f74db9d548e3a4d05aa122f45ecc",
     "older rows came back, everything is looked at again",
     "nothing, if a backup was restored; otherwise find who took usher's row in daemon away; followers start anew"},
    {"circuit.opened", LogSeverity::warning, "06663e1c407248b8b26bdaeefb3f624c", "provider is not asked for now",
     "do what `detail` says: it concerns the whole project; usherd asks again at `next_at` by itself"},
    {"clock.stepped", LogSeverity::warning, "86eee4aaba9147ac936193bb0ae47dd2", "clock was set",
     "check NTP; tokens from the future are signed anew"},
    {"config.warning", LogSeverity::warning, "740dbbcbc92e4a7ebf1676508e1c7cad", "configuration warning",
     "read `detail`, and change the configuration if it is right; usher works", false},
    {"contract.restored", LogSeverity::warning, "e3143d1a8f7f44ac998e4d21b47fc7a2", "contract put back",
     "nothing: a tool rebuilt a table of usher's or dropped something; what was missed has been found"},
    {"disconnect.failed", LogSeverity::warning, "583de0c2dc074304addb4ed4b7bcec91", "nobody was thrown out",
     "whoever was in that session may still be there; `reason` says why; the table `history` has it too"},
    {"due.stuck", LogSeverity::warning, "49ba7ebfc7574226ab4d87ba8e8a8679",
     "meeting is set aside, since it stays due though there is nothing to do",
     "look for foreign triggers on agenda, and have the database check its indexes; the others are served"},
    {"limit.threads", LogSeverity::warning, "29486283760a4a40be1d8e5bc7053748", "fewer threads than processors",
     "raise the limit that `reason` names; usher works, but signs more slowly"},
    {"limit.watches", LogSeverity::warning, "345648f6f2a54f26863def8e3b2357e2", "changes are looked for by the clock",
     "raise the limit that `reason` names, and restart; until then usher sees changes a little later"},
    {"log.dropped", LogSeverity::warning, "99d4a0c667df42e3932513fbe61cf3e8", "lines of the log were dropped",
     "find why nobody read the log, or why it could not be written to; `count` lines are missing here, and usherd went "
     "on without them"},
    {"project.sandbox", LogSeverity::warning, "055d1f721f33448f965b6af97d231715",
     "project on the sandbox, its tokens open no real meeting",
     "nothing in a rehearsal; otherwise give the project another provider"},
    {"schema.incomplete", LogSeverity::warning, "24fb7b8a4b674c96a84d29a542db8aeb", "schema incomplete, trying again",
     "a table, column or index of usher's is missing: let the migration that took it finish, or put it back"},
    {"session.call_failed", LogSeverity::warning, "c4383cd492be49e887d14a350001493b", "session call failed",
     "do what `detail` says; `reason` is as under States and reasons; tried again by itself"},
    {"stopped.at_once", LogSeverity::warning, "690ba9c6334e445490471bc2cb8a2b7a",
     "stopped at once, the batch in hand is left to the next start", "nothing; the next start takes the work up",
     false},
    {"store.busy", LogSeverity::warning, "be6eb4425145410cbe598949806c40cf", "database busy, trying again",
     "find who holds a write transaction for more than a second; told once, until `store.free`"},
    {"store.busy_at_stop", LogSeverity::warning, "90a952cc6996449b8dc4dd973b501f2d", "database busy at stop",
     "nothing; the next start takes the work up", false},
    {"store.concern", LogSeverity::warning, "ec80733b35b946d092c23a7d4597e22b", "the database is held up",
     "do what `detail` says: mostly a connection began a transaction and never ended it"},
    {"wal.set_aside", LogSeverity::warning, "9bcf30e6284c4dc993c1c03772ab0347",
     "the -wal beside the database was that of another file, and is set aside",
     "the database was replaced by hand while usherd did not run; look whether all is there, then delete the file that "
     "`name` names; next time use `usherctl restore`"},

    {"circuit.closed", LogSeverity::notice, "62592dcc70e044b6ada1795145f6d945", "provider is asked again", ""},
    {"config.taken", LogSeverity::notice, "f53d877d582d42d490a95544a11d06dd", "configuration loaded", "", false},
    {"contract.noted", LogSeverity::notice, "0fa2efab487745609d6e60e25135fcdb", "contract noted",
     "nothing, unless writes to that table are refused"},
    {"contract.whole", LogSeverity::notice, "4a65b417196849e395be60db9bf11201", "contract whole again", ""},
    {"disconnect.needless", LogSeverity::notice, "37bcadb828584db1af15f4c9a514833c",
     "nobody is to be thrown out after all", ""},
    {"ready", LogSeverity::notice, "b7fd2a6b56204e9585aaf9552c323c83", "ready", ""},
    {"request.done", LogSeverity::notice, "1b143aea3169439b82926e398a86a1e1", "request finished", ""},
    {"stopping", LogSeverity::notice, "c56db0c361204266b302de3d0de61e18", "stopping", ""},
    {"store.free", LogSeverity::notice, "2061a07e44b644888bbe6704ae399381", "the database can be used again", ""},
    {"wal.kept", LogSeverity::notice, "12d7f23859fe4d639173301a9ea74f70",
     "the -wal stays as it is, since others read in it", ""},

    {"pass.done", LogSeverity::info, "ea4873dff25e4eb68f2614da77016674", "published", ""},

    {"batch.begun", LogSeverity::debug, "8837efe9250f4c6090f23eb377db6608", "meetings are taken up", "", false},
    {"batch.done", LogSeverity::debug, "13f04205a73a4dfb8ebc416805505efb", "meetings are served", "", false},
    {"call.done", LogSeverity::debug, "687a944678f340dca61e4dc124752452", "provider answered", "", false},
    {"call.planned", LogSeverity::debug, "24890bc213dd45488b9f21dc9c4bb23c", "call is tried again", "", false},
    {"call.started", LogSeverity::debug, "d9722b85cfb9414093faa2f581f10f92", "provider is asked", "", false},
    {"meeting.planned", LogSeverity::debug, "5b90fb77ca474aafbdb7a201addece7e", "meeting is planned", "", false},
    {"step.done", LogSeverity::debug, "96062f5f78344688a7515f89cc3781b3", "step is done", "", false},
    {"waiting", LogSeverity::debug, "76b6abf4f2724dec96d1b25fdb6ea30e", "nothing to do for now", "", false},
};

/// What a line of the log may tell beside its text, and what it means.
struct LogFieldKind {
    std::string_view name; ///< In a line and in JSON; the journal has it in capitals. Never given to something else.
    std::string_view meaning;
};

/// All that there are; `usherd --words` prints them.
inline constexpr LogFieldKind log_fields[] = {
    {"attempts", "calls that have failed in a row"},
    {"call", "`create` makes a session, `disconnect` throws everybody out"},
    {"count", "how many"},
    {"detail", "a sentence"},
    {"every_ms", "how often, in milliseconds"},
    {"last_look", "when a usherd looked last, by the clock of then"},
    {"log_format", "in which the log is written from now on"},
    {"log_level", "from which on events are written from now on"},
    {"meeting_id", "the platform's id of the meeting"},
    {"meetings", "how many meetings"},
    {"name", "of a file"},
    {"next_at", "when usherd does it again"},
    {"now", "what time it is"},
    {"prepare_ms", "milliseconds for reading, planning and signing"},
    {"processors", "how many the machine has"},
    {"project", "the project's name in the configuration"},
    {"projects", "how many are configured"},
    {"publish_ms", "milliseconds for the database's transactions"},
    {"reason", "why: one word where the reference has it, else a sentence"},
    {"request_id", "the request's number; the first of those that were done together"},
    {"session", "what the plan does about the session"},
    {"session_id", "the provider's id of the session"},
    {"sessions", "how many sessions"},
    {"skipped", "meetings that a platform edited meanwhile; they are due again"},
    {"state", "of the meeting, as planned"},
    {"step", "of the main loop"},
    {"task", "a part of usherd"},
    {"threads", "how many usherd has"},
    {"tokens", "how many tokens"},
    {"took_ms", "how long it took, in milliseconds"},
    {"wait_ms", "for how long at most, in milliseconds"},
    {"way_out", "what to do"},
    {"who", "the process"},
    {"why", "why the meeting was looked at: `written`, `time` or `suspected`"},
    {"withdrawn", "how many tokens were taken back"},
};

} // namespace usher
