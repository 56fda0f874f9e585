// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include <usher/core/policy.hpp>

#include "simulation/connection.hpp"
#include "simulation/dice.hpp"
#include "simulation/memory_vfs.hpp"
#include "simulation/story.hpp"
#include "simulation/virtual_clock.hpp"

namespace usher::simulation {

/// People at a terminal. What they do goes through the library, as usherctl does it: each command is a process of its
/// own, for which the disk may fail too. What they are told is held against the rows.
class Operators {
public:
    /// Told what they were told wrongly.
    using Complain = std::function<void(std::string const& meeting, std::string const& what)>;

    /// `rows` is who the answers are held against: a connection that is open already.
    using Rows = std::function<Connection&()>;

    Operators(MemoryVfs& vfs, VirtualClock& clock, Story& story, std::string database, Rows rows, Complain complain);

    /// What is being done for a meeting is told to the caller by its id, and a rotation asked for.
    std::function<void(std::string const& meeting)> on_rotation;

    /// One of the commands that read, or a request.
    void act(ProcessId process, Policy const& policy, Dice dice);
    /// `usherctl init --repair`. It may fail where somebody else has to do something first.
    void repair(ProcessId process, Dice dice, bool can_be_mended = true);

private:
    void perform(ProcessId process, char const* command, Dice& dice, std::function<void()> const& work);
    void ask_for_status(Policy const& policy);
    void ask_about_meeting(Policy const& policy, std::string const& meeting);
    void examine();
    void export_all();
    void file_request(std::string const& meeting, Dice& dice);
    std::string some_meeting(Dice& dice) const;
    template <class... Values>
    std::int64_t count(char const* sql, Values const&... values) const;

    MemoryVfs& vfs_;
    VirtualClock& clock_;
    Story& story_;
    std::string database_;
    Rows rows_;
    Complain complain_;
    bool can_be_mended_ = true; ///< What is to be repaired.
};

} // namespace usher::simulation
