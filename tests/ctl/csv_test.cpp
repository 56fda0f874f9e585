// SPDX-License-Identifier: Apache-2.0
#include "csv.hpp"

#include <algorithm>
#include <sstream>
#include <streambuf>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace usher::ctl {
namespace {

using testing::ElementsAre;

/// Every row as `line: field|field`, every problem as `line! reason`.
std::vector<std::string> read_all(std::istream& in, CsvLimits limits = {})
{
    CsvReader reader{in, limits};
    std::vector<std::string> all;
    for (auto step = reader.next(); step != CsvStep::end; step = reader.next()) {
        if (step == CsvStep::problem) {
            all.push_back(std::to_string(reader.line()) + "! " + reader.problem());
            continue;
        }
        std::string text = std::to_string(reader.line()) + ": ";
        for (std::size_t i = 0; i < reader.fields().size(); ++i)
            text += (i > 0 ? "|" : "") + reader.fields()[i];
        all.push_back(text);
    }
    return all;
}

std::vector<std::string> read_text(std::string const& text, CsvLimits limits = {})
{
    std::istringstream in{text};
    return read_all(in, limits);
}

/// Cannot seek, and gives few bytes at a time, as a pipe does.
class PipeBuffer : public std::streambuf {
public:
    explicit PipeBuffer(std::string text) : text_{std::move(text)} {}

protected:
    int_type underflow() override
    {
        if (at_ == text_.size())
            return traits_type::eof();
        const std::size_t count = std::min<std::size_t>(3, text_.size() - at_);
        setg(text_.data() + at_, text_.data() + at_, text_.data() + at_ + count);
        at_ += count;
        return traits_type::to_int_type(*gptr());
    }

private:
    std::string text_;
    std::size_t at_ = 0;
};

TEST(Csv, ReadsRows)
{
    EXPECT_THAT(read_text("a,b\nc,d\n"), ElementsAre("1: a|b", "2: c|d"));
    EXPECT_THAT(read_text("a,b\r\nc,d"), ElementsAre("1: a|b", "2: c|d"));
    EXPECT_THAT(read_text("a,b\r"), ElementsAre("1: a|b"));
    EXPECT_THAT(read_text(",\n"), ElementsAre("1: |"));
    EXPECT_THAT(read_text(""), ElementsAre());
    EXPECT_THAT(
        read_text("\xef\xbb\xbf"
                  "a,b\n"),
        ElementsAre("1: a|b")
    );
}

TEST(Csv, ReadsQuotedFields)
{
    EXPECT_THAT(read_text("\"a,1\",\"say \"\"b\"\"\"\r\n\"\",\"\"\n"), ElementsAre("1: a,1|say \"b\"", "2: |"));
    EXPECT_THAT(read_text("\"two\r\nlines\",b\nc,d\n"), ElementsAre("1: two\r\nlines|b", "3: c|d"));
}

TEST(Csv, SkipsEmptyLines)
{
    EXPECT_THAT(read_text("\na\n\r\n\nb\n\n"), ElementsAre("2: a", "5: b"));
}

TEST(Csv, ReportsAQuoteThatIsNotClosedWhereItBegan)
{
    EXPECT_THAT(
        read_text("a,b\nc,\"d\ne,f\ng,h\n"),
        ElementsAre("1: a|b", "2! has a quote that is not closed", "3: e|f", "4: g|h")
    );
    EXPECT_THAT(read_text("\"one\ntwo\",\"three\nx,y\n"), ElementsAre("2! has a quote that is not closed", "3: x|y"));
    EXPECT_THAT(read_text("a,\"b"), ElementsAre("1! has a quote that is not closed"));
    EXPECT_THAT(read_text("a,\"\n"), ElementsAre("1! has a quote that is not closed"));
}

TEST(Csv, GoesBackFarToTheLineAfterAQuoteThatIsNotClosed)
{
    std::string text = "c,\"d\n";
    for (int i = 0; i < 100'000; ++i)
        text += "e,f\n";
    const auto all = read_text(text);
    ASSERT_EQ(all.size(), 100'001U);
    EXPECT_EQ(all.front(), "1! has a quote that is not closed");
    EXPECT_EQ(all.back(), "100001: e|f");
}

TEST(Csv, ReadsAPipe)
{
    PipeBuffer buffer{"a,b\r\n\"c\nd\",e\n"};
    std::istream in{&buffer};
    EXPECT_THAT(read_all(in), ElementsAre("1: a|b", "2: c\nd|e"));
    std::string text = "a,\"b\n";
    for (int i = 0; i < 100'000; ++i)
        text += "e,f\n";
    PipeBuffer long_buffer{text};
    std::istream long_in{&long_buffer};
    EXPECT_THAT(read_all(long_in), ElementsAre("1! has a quote that is not closed; everything after it was skipped"));
}

TEST(Csv, ReadsAcrossTheEndOfABlock)
{
    constexpr std::size_t block = 64 * 1024;
    // Each of these is at the end of a block, one byte before it and one after it.
    for (const std::string_view tail : {"a,b\nc,d\n", "a,b\r\nc,d\r\n", "\"a\",\"b\"\r\nc,\"d\"", "a,b\n\nc,d"}) {
        for (std::size_t i = 0; i <= tail.size() + 1; ++i) {
            SCOPED_TRACE(std::string{tail} + " " + std::to_string(i));
            const std::string filler(block - i - 1, 'f');
            const auto rows = read_text(filler + '\n' + std::string{tail}, {.field_bytes = block});
            ASSERT_EQ(rows.size(), 3U);
            EXPECT_EQ(rows[0], "1: " + filler);
            EXPECT_EQ(rows[1], "2: a|b");
            EXPECT_THAT(rows[2], testing::EndsWith(": c|d"));
        }
    }
}

TEST(Csv, ReadsARowLongerThanABlock)
{
    const std::string long_field(50'000, 'x');
    EXPECT_THAT(
        read_text(long_field + ',' + long_field + ",\"" + long_field + "\"\na,b\n"),
        ElementsAre("1: " + long_field + '|' + long_field + '|' + long_field, "2: a|b")
    );
}

TEST(Csv, ReportsABadRowAcrossTheEndOfABlock)
{
    for (const std::size_t length : {65'530U, 65'531U, 65'532U, 65'533U, 65'534U, 65'535U}) {
        const std::string filler(length, 'f');
        EXPECT_THAT(
            read_text(filler + "\na,\"b\"c\nd,e\n"),
            ElementsAre(
                "1: " + filler, "2! has text after a closing quote; double the quotes inside a quoted field", "3: d|e"
            )
        );
    }
}

TEST(Csv, LosesOnlyTheMalformedRow)
{
    constexpr auto after = "has text after a closing quote; double the quotes inside a quoted field";
    constexpr auto inside = "has a quote in a field that does not begin with one; quote the field and double the "
                            "quotes in it";
    EXPECT_THAT(read_text("\"a\"x,b\nc,d\n"), ElementsAre("1! " + std::string{after}, "2: c|d"));
    EXPECT_THAT(read_text("a \"x\",b\nc,d\n"), ElementsAre("1! " + std::string{inside}, "2: c|d"));
    EXPECT_THAT( // the first quote lacks its end, and the second closes it
        read_text("a,\"b\nc,d\ne,\"f\"\n"), ElementsAre("1! " + std::string{after}, "2: c|d", "3: e|f")
    );
    EXPECT_THAT(
        read_text("a\rb,c\nd,e\n"),
        ElementsAre("1! has a carriage return that does not end the line; quote the field", "2: d|e")
    );
    EXPECT_THAT(
        read_text("\rb,c\nd,e\n"),
        ElementsAre("1! has a carriage return that does not end the line; quote the field", "2: d|e")
    );
}

TEST(Csv, BoundsFieldsAndColumns)
{
    const CsvLimits limits{.field_bytes = 4, .columns = 2};
    EXPECT_THAT(
        read_text("abcd,b\nabcde,b\n\"a\nb\nc\",b\nc,d\n", limits),
        ElementsAre("1: abcd|b", "2! has a field of more than 4 bytes", "3! has a field of more than 4 bytes", "6: c|d")
    );
    EXPECT_THAT(read_text("a,b,\"c\nd\"\ne,f\n", limits), ElementsAre("1! has more than 2 fields", "3: e|f"));
    EXPECT_THAT(read_text("abc,\"defghij\nk,l\n", limits), ElementsAre("1! has a quote that is not closed", "2: k|l"));
}

/// Without an end, as /dev/zero and a pipe may be.
class EndlessBuffer : public std::streambuf {
public:
    explicit EndlessBuffer(std::string text) : text_{std::move(text)}
    {
        setg(text_.data(), text_.data(), text_.data() + text_.size());
    }

protected:
    int_type underflow() override
    {
        text_.assign(4096, 'x');
        setg(text_.data(), text_.data(), text_.data() + text_.size());
        return traits_type::to_int_type(*gptr());
    }

private:
    std::string text_;
};

TEST(Csv, StopsInARowThatDoesNotEnd)
{
    for (const std::string begin : {"", "\"", "a\r", "\r", "\"a\"b", "\"a\nb"}) {
        SCOPED_TRACE(begin);
        EndlessBuffer buffer{"a,b\n" + begin};
        std::istream in{&buffer};
        CsvReader reader{in};

        EXPECT_EQ(reader.next(), CsvStep::row);
        EXPECT_EQ(reader.next(), CsvStep::end);

        EXPECT_TRUE(reader.endless());
        EXPECT_EQ(reader.line(), 2U);
        EXPECT_FALSE(reader.has_more());
        EXPECT_EQ(reader.next(), CsvStep::end);
    }
}

TEST(Csv, GoesOnAfterAQuoteThatIsNotClosedForLong)
{
    std::string text = "a,\"b\n";
    for (int i = 0; i < 100'000; ++i)
        text += "e,f\n";
    std::istringstream in{text};
    CsvReader reader{in, {.row_bytes = 100'000}};

    EXPECT_EQ(reader.next(), CsvStep::problem);
    EXPECT_EQ(reader.problem(), "has a quote that is not closed");
    int rows = 0;
    while (reader.next() == CsvStep::row)
        ++rows;
    EXPECT_EQ(rows, 100'000);
    EXPECT_FALSE(reader.endless());
}

} // namespace
} // namespace usher::ctl
