// SPDX-License-Identifier: Apache-2.0
#include "csv.hpp"

#include <algorithm>
#include <utility>

#include <usher/core/utf8.hpp>

namespace usher::ctl {

CsvReader::CsvReader(std::istream& in, CsvLimits limits)
    : in_{in}, limits_{limits}, base_{in.tellg()}, buffer_(64 * 1024)
{
    in_.clear(in_.rdstate() & ~std::ios::failbit); // a pipe cannot tell where it stands
    refill();
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (std::string_view{buffer_.data(), filled_}.starts_with(byte_order_mark))
        position_ = byte_order_mark.size();
}

bool CsvReader::refill()
{
    if (row_begin_ && buffer_offset_ + filled_ - *row_begin_ >= limits_.row_bytes)
        endless_ = true; // as /dev/zero is
    if (endless_ || !in_.good())
        return false;
    in_.read(buffer_.data(), static_cast<std::streamsize>(buffer_.size()));
    failed_ = failed_ || in_.bad();
    const auto read = static_cast<std::size_t>(in_.gcount());
    if (read == 0)
        return false; // the buffer stays, to go back in
    buffer_offset_ += filled_;
    position_ = 0;
    filled_ = read;
    return true;
}

int CsvReader::peek()
{
    if (position_ == filled_ && !refill())
        return end_of_file;
    return static_cast<unsigned char>(buffer_[position_]);
}

int CsvReader::get()
{
    const int byte = peek();
    if (byte == end_of_file)
        return byte;
    ++position_;
    if (byte == '\n')
        here_ = {here_.line + 1, 1};
    else if ((byte & 0xC0) != 0x80) // begins a character
        ++here_.column;
    return byte;
}

/// Goes back, which takes a stream that can seek when it is further than the buffer.
bool CsvReader::skip_to(LineStart start)
{
    if (start.offset >= buffer_offset_) {
        position_ = static_cast<std::size_t>(start.offset - buffer_offset_);
    } else {
        if (base_ < 0)
            return false;
        in_.clear();
        in_.seekg(base_ + static_cast<std::streamoff>(start.offset));
        if (!in_)
            return false;
        buffer_offset_ = start.offset;
        position_ = 0;
        filled_ = 0;
    }
    here_ = {start.line, 1};
    endless_ = false;
    return true;
}

void CsvReader::report(Place place, std::string reason)
{
    if (row_is_bad_)
        return; // the first problem of a row is the one to mend
    row_is_bad_ = true;
    place_ = place;
    problem_ = std::move(reason);
}

void CsvReader::add_field()
{
    if (count_ == limits_.columns) {
        report(place_, "has more than " + std::to_string(limits_.columns) + " fields");
        --count_; // goes on into the last one, to find the end of the row
    }
    if (count_ == fields_.size())
        fields_.emplace_back();
    if (count_ == places_.size())
        places_.emplace_back();
    if (count_ == quoted_.size())
        quoted_.push_back(false);
    places_[count_] = here_;
    quoted_[count_] = peek() == '"';
    fields_[count_++].clear();
    field_too_long_ = false;
}

void CsvReader::add(std::string_view bytes)
{
    std::string& field = fields_[count_ - 1];
    const std::size_t room = limits_.field_bytes - field.size();
    field += bytes.substr(0, room);
    if (bytes.size() > room && !std::exchange(field_too_long_, true))
        report(places_[count_ - 1], "has a field of more than " + std::to_string(limits_.field_bytes) + " bytes");
}

void CsvReader::add_byte(int byte)
{
    const auto character = static_cast<char>(byte);
    add({&character, 1});
}

/// Adds what is in the buffer up to the next byte that may mean something, in quotes or not; often nothing.
void CsvReader::add_plain()
{
    char const* const first = buffer_.data() + position_;
    char const* const last = buffer_.data() + filled_;
    char const* const end = std::find_if(first, last, [this](char byte) {
        return byte == separator_ || byte == '"' || byte == '\n' || byte == '\r';
    });
    const auto count = static_cast<std::size_t>(end - first);
    add({first, count});
    position_ += count;
    here_.column += count_characters({first, count});
}

std::string_view CsvReader::line_ahead() const
{
    const std::string_view ahead{buffer_.data() + position_, filled_ - position_};
    return ahead.substr(0, ahead.find_first_of("\r\n"));
}

void CsvReader::skip_line()
{
    for (int byte = get(); byte != '\n' && byte != end_of_file;)
        byte = get();
}

/// Each of the three reads to the end of a field, and returns false when it could not find that.
bool CsvReader::read_field()
{
    add_field();
    return peek() == '"' ? read_quoted() : read_plain();
}

bool CsvReader::read_plain()
{
    for (;;) {
        add_plain();
        const int byte = peek();
        if (byte == separator_ || byte == '\n' || byte == end_of_file)
            return true;
        get();
        if (byte == '\r') {
            if (peek() == '\n' || peek() == end_of_file)
                return true;
            report(here_, "has a carriage return that does not end the line; quote the field");
        }
        if (byte == '"')
            report(
                here_,
                "has a quote in a field that does not begin with one; quote the field and double the quotes in it"
            );
        add_byte(byte);
    }
}

bool CsvReader::read_quoted()
{
    const Place quote = here_;
    LineStart after_line; // the beginning of the line after the quote, once there
    get();
    for (;;) {
        add_plain();
        const int byte = get();
        if (byte == end_of_file) {
            row_is_bad_ = false; // explains an over-long field, too
            const bool skipped = after_line.offset == 0 || skip_to(after_line);
            report(
                quote, skipped ? "has a quote that is not closed"
                               : "has a quote that is not closed; everything after it was skipped"
            );
            return false;
        }
        if (byte == '"' && peek() != '"')
            break;
        if (byte == '"')
            get();
        if (byte == '\n' && after_line.offset == 0)
            after_line = {buffer_offset_ + position_, here_.line};
        add_byte(byte);
    }
    if (peek() == '\r') {
        get();
        if (peek() == '\n' || peek() == end_of_file)
            return true;
    } else if (peek() == separator_ || peek() == '\n' || peek() == end_of_file) {
        return true;
    }
    row_is_bad_ = false;
    report(quote, "has text after a closing quote; double the quotes inside a quoted field");
    if (after_line.offset == 0 || !skip_to(after_line))
        skip_line();
    return false;
}

/// Whether a row follows, or a line that is none.
bool CsvReader::skip_empty_lines()
{
    for (;;) {
        const int byte = peek();
        if (byte != '\n' && byte != '\r')
            return byte != end_of_file;
        if (byte == '\r') {
            get();
            if (peek() == end_of_file)
                return false;
            if (peek() != '\n') {
                stray_return_ = true;
                return true;
            }
        }
        get();
    }
}

bool CsvReader::has_more()
{
    return stray_return_ || skip_empty_lines();
}

CsvStep CsvReader::next()
{
    if (!has_more())
        return CsvStep::end;
    place_ = here_;
    row_begin_ = buffer_offset_ + position_;
    const CsvStep step = read_row();
    row_begin_.reset();
    return endless_ ? CsvStep::end : step;
}

CsvStep CsvReader::read_row()
{
    row_is_bad_ = false;
    if (std::exchange(stray_return_, false)) {
        report(here_, "has a carriage return that does not end the line; quote the field");
        skip_line();
        return CsvStep::problem;
    }
    count_ = 0;
    for (;;) {
        if (!read_field())
            return CsvStep::problem;
        if (get() != separator_) // or the row has ended
            break;
    }
    return row_is_bad_ ? CsvStep::problem : CsvStep::row;
}

} // namespace usher::ctl
