package testcity

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Format is a form in which a clerk's spreadsheet comes.
type Format string

// The forms that an import understands.
const (
	XLSX    Format = "xlsx"
	CSV     Format = "csv"         // UTF-8
	CSVBOM  Format = "bom.csv"     // UTF-8 with a byte order mark, as Excel writes it
	GB18030 Format = "gb18030.csv" // as WPS and old Excel write it
)

// rosterHead are the columns of the usual roster.
var rosterHead = []string{
	"序号", "姓名", "性别", "出生日期", "民族", "有效证件类别", "证件号码", "学历", "技能等级", "移动电话",
	"户籍类型", "是否农民工", "入会日期", "工作单位", "部门", "岗位", "新就业形态", "备注",
}

var orgHead = []string{"工会编码", "名称", "层级", "上级编码", "填报单位", "联系电话", "成立日期", "是否计入基层工会数"}

// Table gives a roster as cells, the head first.
func (r *Roster) Table() [][]string {
	out := [][]string{rosterHead}
	for i, row := range r.Rows {
		migrant := "否"
		if row.Migrant {
			migrant = "是"
		}
		out = append(out, []string{
			strconv.Itoa(i + 1), row.Name, word(row.Sex, sexes), row.Birth, word(row.Ethnic, ethnics), "居民身份证", row.ID,
			word(row.Education, educations), word(row.Skill, skills), row.Phone, word(row.Hukou, hukous), migrant,
			row.Joined, row.Employer, row.Department, row.Post, word(row.NewForm, newForms), "",
		})
	}
	return out
}

// OrgTable gives the city's tree as cells, the head first.
func (c *City) OrgTable() [][]string {
	out := [][]string{orgHead}
	for _, u := range c.Units {
		grassroots := "否"
		if u.Level == "union" {
			grassroots = "是"
		}
		out = append(out, []string{u.Code, u.Name, u.Level, u.Parent, u.County, u.Phone, u.Founded, grassroots})
	}
	return out
}

// Encode writes cells in a form, an xlsx file with a title row above the head and a blank
// row below the title, as such files come.
func Encode(cells [][]string, format Format) ([]byte, error) {
	if format == XLSX {
		return encodeXLSX(cells)
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(cells); err != nil {
		return nil, fmt.Errorf("encode csv: %w", err)
	}
	switch format {
	case CSVBOM:
		return append([]byte("\ufeff"), b.Bytes()...), nil
	case GB18030:
		out, err := simplifiedchinese.GB18030.NewEncoder().Bytes(b.Bytes())
		if err != nil {
			return nil, fmt.Errorf("encode gb18030: %w", err)
		}
		return out, nil
	default:
		return b.Bytes(), nil
	}
}

// titleRows stand above the head of an xlsx file.
const titleRows = 2

func encodeXLSX(cells [][]string) ([]byte, error) {
	f := excelize.NewFile()
	last, err := excelize.CoordinatesToCellName(len(cells[0]), 1)
	if err != nil {
		return nil, fmt.Errorf("encode xlsx: %w", err)
	}
	const sheet = "Sheet1"
	err = func() error {
		if err := f.SetCellStr(sheet, "A1", "工会会员实名制花名册"); err != nil {
			return err
		}
		if err := f.MergeCell(sheet, "A1", last); err != nil {
			return err
		}
		for i, row := range cells {
			at, err := excelize.CoordinatesToCellName(1, i+1+titleRows)
			if err != nil {
				return err
			}
			if err := f.SetSheetRow(sheet, at, &row); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return nil, fmt.Errorf("encode xlsx: %w", err)
	}
	b, err := f.WriteToBuffer()
	if err != nil {
		return nil, fmt.Errorf("encode xlsx: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("encode xlsx: %w", err)
	}
	return b.Bytes(), nil
}
