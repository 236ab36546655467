package testcity

import "strings"

// choice is a code of a kind's code table, the word that a clerk types for it, and how
// often it comes.
type choice struct {
	code, word string
	weight     int
}

var (
	ethnics    = []choice{{"01", "汉族", 940}, {"22", "畲族", 25}, {"06", "苗族", 15}, {"15", "土家族", 10}, {"09", "布依族", 10}}
	educations = []choice{
		{"71", "初中", 300}, {"61", "高中", 200}, {"41", "中专", 120}, {"31", "大专", 200},
		{"21", "本科", 140}, {"14", "硕士", 15}, {"11", "博士", 5}, {"81", "小学", 20},
	}
	skills = []choice{{"", "", 600}, {"5", "五级", 120}, {"4", "四级", 130}, {"3", "三级", 100}, {"2", "二级", 35}, {"1", "一级", 15}}
	hukous = []choice{{"3", "农业家庭户口", 650}, {"2", "非农业家庭户口", 350}}

	newForms = []choice{
		{"1", "货车司机", 180}, {"2", "网约车司机", 150}, {"3", "快递员", 240}, {"4", "外卖配送员", 200},
		{"5", "网络主播/电商直播", 80}, {"6", "家政服务员", 50}, {"7", "护工护理员", 40}, {"8", "保安员", 60},
	}
	sexes = []choice{{"1", "男", 1}, {"2", "女", 1}}
)

// weighted picks a code by its weight.
func weighted(g *generator, from []choice) string {
	total := 0
	for _, c := range from {
		total += c.weight
	}
	n := g.rng.IntN(total)
	for _, c := range from {
		if n -= c.weight; n < 0 {
			return c.code
		}
	}
	return from[0].code
}

// word gives what a clerk types for a code.
func word(code string, from []choice) string {
	for _, c := range from {
		if c.code == code {
			return c.word
		}
	}
	return ""
}

var (
	surnames = strings.Fields("王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 林 罗 郑 梁 谢 宋 唐 许 韩 冯 邓 曹 彭 " +
		"曾 肖 田 董 潘 袁 蔡 蒋 余 于 杜 叶 程 魏 苏 吕 丁 任 卢 姚 沈 钟 姜 崔 谭 陆 范 汪 廖 石 金 韦 贾 夏 付 方 邹 熊 白 孟 秦 邱 " +
		"单 仇 区 欧阳 诸葛 楼 斯 骆 厉 应 施 陶 章 鲍 倪")
	givenNames = strings.Fields("伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 娟 涛 明 超 秀 霞 平 刚 桂 英 华 玉 萍 红 建 文 海 燕 志 国 " +
		"永 春 雪 梅 兰 竹 松 柏 宇 轩 涵 子 梓 浩 然 欣 怡 晨 曦 俊 豪 嘉 琪 诗 雨 思 远 博 凯 瑞 翔 䶮 垚 喆 昕 晟 璟")
	divisions   = strings.Fields("330702 330703 330723 330726 330727 330781 330782 330783 330784 330106 330327 411328 522126 342622 362330")
	firmNames   = strings.Fields("宏达 金星 永兴 三锋 星月 华丰 浙金 双溪 兰江 义新 东方 康力 武阳 磐龙 浦阳 天一 百川 恒泰")
	firmTrades  = strings.Fields("工具 五金 纺织 物流 电子商务 机械 家具 食品 建材 服饰 印刷 快递 医疗器械 汽车配件")
	departments = strings.Fields("一车间 二车间 三车间 办公室 质检部 仓储部 配送站 电商部 保安部")
	posts       = strings.Fields("操作工 维修电工 质检员 班组长 会计 行政 仓管员 快递员 驾驶员 客服 主播")
)
