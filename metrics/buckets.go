package metrics

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

// The buckets of all histograms are those of a Prometheus native histogram of
// schema 3, whose bounds are the powers of 2^(1/8): one is 9 % wide. They reach
// from 7.6 µs (2^-17 s) to 36 h (2^17 s). What is shorter is in the zero bucket,
// what is longer in the last one.
//
// A native bucket that holds a bound of the classic buckets in the middle is
// kept as two, so that one addition keeps both kinds exact.
const (
	schema         = 3
	bucketsPerTwo  = 1 << schema
	lowestNative   = -17 * bucketsPerTwo // the zero bucket ends with the bound of this index
	highestNative  = 17 * bucketsPerTwo
	nativeBuckets  = highestNative - lowestNative // without the zero bucket
	classicBuckets = 17
	buckets        = 1 + nativeBuckets + classicBuckets

	linearBits = 4 // a power of two is looked up in 16 parts
)

// classic are the upper bounds of the classic buckets, as users of Prometheus
// know them, with 1 ms and 2.5 ms below and minutes above for what lasts.
var classic = [classicBuckets]time.Duration{
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
	time.Minute, 10 * time.Minute, time.Hour,
}

// layout finds the bucket of a duration. It never changes.
var layout = newBucketLayout()

type bucketLayout struct {
	upper  [buckets]time.Duration // inclusive; the last has no bound
	native [buckets]int16         // index of the native bucket; of the zero bucket lowestNative
	first  [(64 + 1) << linearBits]uint16
}

func newBucketLayout() *bucketLayout {
	l := &bucketLayout{}
	type bound struct {
		at     time.Duration
		native int
	}
	var bounds []bound
	for i := lowestNative; i <= highestNative; i++ {
		bounds = append(bounds, bound{nativeBound(i), i})
	}
	for _, at := range classic {
		i, found := slices.BinarySearchFunc(bounds, at, func(b bound, at time.Duration) int { return int(b.at - at) })
		if !found {
			bounds = slices.Insert(bounds, i, bound{at, bounds[i].native})
		} else { // a power of two: kept for a constant number of buckets
			bounds = slices.Insert(bounds, i, bounds[i])
		}
	}
	for i, b := range bounds {
		l.upper[i], l.native[i] = b.at, int16(b.native)
	}
	l.upper[buckets-1] = math.MaxInt64
	for part := range l.first {
		lowest := smallestOf(part)
		i, _ := slices.BinarySearch(l.upper[:], lowest)
		l.first[part] = uint16(min(i, buckets-1))
	}
	return l
}

// nativeBound is the upper bound of a native bucket, which belongs to it, as
// the longest duration within.
func nativeBound(index int) time.Duration {
	return time.Duration(math.Exp2(float64(index)/bucketsPerTwo) * float64(time.Second))
}

// partOf numbers the 16 parts of each power of two.
func partOf(d time.Duration) int {
	length := bits.Len64(uint64(d))
	return length<<linearBits | int(uint64(d)<<(64-length)>>(63-linearBits)&(1<<linearBits-1))
}

// smallestOf is the shortest duration of a part.
func smallestOf(part int) time.Duration {
	length, linear := part>>linearBits, part&(1<<linearBits-1)
	if length == 0 {
		return 0
	}
	return time.Duration((1<<linearBits | uint64(linear)) << (63 - linearBits) >> (64 - length))
}

// of returns the bucket of a duration, which must not be negative.
func (l *bucketLayout) of(d time.Duration) int {
	i := int(l.first[partOf(d)])
	for d > l.upper[i] {
		i++
	}
	return i
}
