// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace usher {

/// The database is not one that usher can work with; the message names it, the reason and the way out.
class DatabaseError : public std::runtime_error {
public:
    explicit DatabaseError(std::string message) : std::runtime_error{message}, fault_{std::move(message)} {}
    /// The message is both, with a semicolon between them.
    DatabaseError(std::string fault, std::string way_out)
        : std::runtime_error{fault + "; " + way_out}, fault_{std::move(fault)}, way_out_{std::move(way_out)}
    {}
    std::string const& fault() const { return fault_; }
    std::string const& way_out() const { return way_out_; } ///< Empty where the message has it, or there is none.

private:
    std::string fault_;
    std::string way_out_;
};

/// This account may not write the database; the message says whose it is and how to change that.
class DatabaseReadOnly : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// The database is not the one any more that the daemon has open, or others can no longer see what it commits; the
/// message says what is kept. What fails beside it follows from it.
class DatabaseLost : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// Another program of usher's is at work on the database; `holder` is what it said of itself.
class AlreadyAtWork : public DatabaseError {
public:
    AlreadyAtWork(std::string const& message, std::string holder) : DatabaseError{message}, holder_{std::move(holder)}
    {}
    std::string const& holder() const { return holder_; }

private:
    std::string holder_;
};

/// A row holds what no program of usher's ever writes: it is of another type, or far too large. All others can be
/// worked with.
class RowError : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// A part of the database cannot be read any more; the message names the tables. What lies elsewhere can be worked
/// with.
class DatabaseDamaged : public DatabaseError {
public:
    using DatabaseError::DatabaseError;
};

/// Not now: others keep the database busy for longer than usher waits. Try again later.
class DatabaseBusy : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The disk has no room for what is to be written. Nothing is lost: try again once there is.
class DatabaseFull : public DatabaseBusy {
public:
    using DatabaseBusy::DatabaseBusy;
};

/// A table, column or index of usher's is not there: somebody rebuilds it at this moment, or took it. Try again later.
class SchemaBroken : public DatabaseBusy {
public:
    using DatabaseBusy::DatabaseBusy;
};

/// Another daemon has taken the database over.
class Fenced : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

} // namespace usher
