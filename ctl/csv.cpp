// SPDX-License-Identifier: Apache-2.0
#include "csv.hpp"

#include <algorithm>
#include <utility>

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
    if (!in_.good())
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
        ++current_line_;
    return byte;
}

/// Goes back, which takes a stream that can seek when it is further than the buffer.
bool CsvReader::skip_to(Place place)
{
    if (place.offset >= buffer_offset_) {
        position_ = static_cast<std::size_t>(place.offset - buffer_offset_);
    } else {
        if (base_ < 0)
            return false;
        in_.clear();
        in_.seekg(base_ + static_cast<std::streamoff>(place.offset));
        if (!in_)
            return false;
        buffer_offset_ = place.offset;
        position_ = 0;
        filled_ = 0;
    }
    current_line_ = place.line;
    return true;
}

void CsvReader::report(std::size_t line, std::string reason)
{
    if (row_is_bad_)
        return; // the first problem of a row is the one to mend
    row_is_bad_ = true;
    line_ = line;
    problem_ = std::move(reason);
}

void CsvReader::add_field()
{
    if (count_ == limits_.columns) {
        report(line_, "has more than " + std::to_string(limits_.columns) + " fields");
        --count_; // goes on into the last one, to find the end of the row
    }
    if (count_ == fields_.size())
        fields_.emplace_back();
    fields_[count_++].clear();
    field_line_ = current_line_;
    field_too_long_ = false;
}

void CsvReader::add(std::string_view bytes)
{
    std::string& field = fields_[count_ - 1];
    const std::size_t room = limits_.field_bytes - field.size();
    field += bytes.substr(0, room);
    if (bytes.size() > room && !std::exchange(field_too_long_, true))
        report(field_line_, "has a field of more than " + std::to_string(limits_.field_bytes) + " bytes");
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
    char const* const end =
        std::find_if(first, last, [](char byte) { return byte == ',' || byte == '"' || byte == '\n' || byte == '\r'; });
    const auto count = static_cast<std::size_t>(end - first);
    add({first, count});
    position_ += count;
}

/// Skips the rest of a line that is bad.
CsvReader::Step CsvReader::skip_line()
{
    for (int byte = get(); byte != '\n' && byte != end_of_file;)
        byte = get();
    return Step::problem;
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
        if (byte == ',' || byte == '\n' || byte == end_of_file)
            return true;
        get();
        if (byte == '\r') {
            if (peek() == '\n' || peek() == end_of_file)
                return true;
            report(current_line_, "has a carriage return that does not end the line; quote the field");
        }
        if (byte == '"')
            report(
                current_line_,
                "has a quote in a field that does not begin with one; quote the field and double the quotes in it"
            );
        add_byte(byte);
    }
}

bool CsvReader::read_quoted()
{
    const std::size_t quote_line = current_line_;
    Place after_line; // the beginning of the line after the quote, once there
    get();
    for (;;) {
        add_plain();
        const int byte = get();
        if (byte == end_of_file) {
            row_is_bad_ = false; // explains an over-long field, too
            const bool skipped = after_line.offset == 0 || skip_to(after_line);
            report(
                quote_line, skipped ? "has a quote that is not closed"
                                    : "has a quote that is not closed; everything after it was skipped"
            );
            return false;
        }
        if (byte == '"' && peek() != '"')
            break;
        if (byte == '"')
            get();
        if (byte == '\n' && after_line.offset == 0)
            after_line = {buffer_offset_ + position_, current_line_};
        add_byte(byte);
    }
    if (peek() == '\r') {
        get();
        if (peek() == '\n' || peek() == end_of_file)
            return true;
    } else if (peek() == ',' || peek() == '\n' || peek() == end_of_file) {
        return true;
    }
    row_is_bad_ = false;
    report(quote_line, "has text after a closing quote; double the quotes inside a quoted field");
    if (after_line.offset == 0 || !skip_to(after_line))
        skip_line();
    return false;
}

CsvReader::Step CsvReader::next()
{
    // Empty lines
    for (;;) {
        const int byte = peek();
        if (byte == end_of_file)
            return Step::end;
        if (byte != '\n' && byte != '\r')
            break;
        if (byte == '\n') {
            get();
            continue;
        }
        get();
        if (peek() == '\n' || peek() == end_of_file)
            continue;
        row_is_bad_ = false;
        report(current_line_, "has a carriage return that does not end the line; quote the field");
        return skip_line();
    }
    count_ = 0;
    row_is_bad_ = false;
    line_ = current_line_;
    for (;;) {
        if (!read_field())
            return Step::problem;
        if (get() != ',') // or the row has ended
            break;
    }
    return row_is_bad_ ? Step::problem : Step::row;
}

} // namespace usher::ctl
